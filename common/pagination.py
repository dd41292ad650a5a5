"""Cursor pages: a list never skips or repeats a row while others write."""

from rest_framework.pagination import CursorPagination


class ByIdPagination(CursorPagination):
    """Newest first by id, 50 a page (at most 200): {"next", "previous", "results"}."""

    ordering: str | tuple[str, ...] = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


class ByStartPagination(ByIdPagination):
    """Soonest first, for things that have a `starts_at`."""

    ordering = ("starts_at", "id")
