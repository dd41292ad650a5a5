"""Cursor pages: a list never skips or repeats a row while others write."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from rest_framework.pagination import CursorPagination
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.utils.urls import replace_query_param

from common.errors import BadInput

_LONGEST = 1000


class ByIdPagination(CursorPagination):
    """Newest first by id, 50 a page (at most 200): {"next", "previous", "results"}.

    The cursor holds the whole sort key of the row where a page ended. (REST framework's holds
    its first column and counts rows within a tie, so ten patrols that start together made its
    pages overlap.) `ordering` ends in something unique.
    """

    ordering: str | tuple[str, ...] = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        """Return the page that the request's cursor asks for; raise BadInput for a bad one."""
        self.request, self.address = request, str(request.build_absolute_uri())
        self.keys = (self.ordering,) if isinstance(self.ordering, str) else self.ordering
        size = self.get_page_size(request) or ByIdPagination.page_size
        text = request.query_params.get(self.cursor_query_param)
        back, key = _read(text, queryset.model, self.keys) if text else (False, None)
        rows = queryset.order_by(*(_turned(self.keys) if back else self.keys))
        if key is not None:
            rows = rows.filter(_beyond(_turned(self.keys) if back else self.keys, key))
        found = list(rows[: size + 1])
        more = len(found) > size
        self.page = found[:size][::-1] if back else found[:size]
        self.has_next = True if back else more
        self.has_previous = more if back else key is not None
        return self.page

    def get_next_link(self) -> str | None:
        """Return the address of the page after this one."""
        return self._link(self.page[-1], back=False) if self.has_next and self.page else None

    def get_previous_link(self) -> str | None:
        """Return the address of the page before this one."""
        return self._link(self.page[0], back=True) if self.has_previous and self.page else None

    def _link(self, row: Any, *, back: bool) -> str:
        names = [name.lstrip("-") for name in self.keys]
        key = [row[name] if isinstance(row, dict) else getattr(row, name) for name in names]
        plain = json.dumps([back, *key], cls=JSONEncoder).encode()
        cursor = base64.urlsafe_b64encode(plain).decode()
        return replace_query_param(self.address, self.cursor_query_param, cursor)


class ByStartPagination(ByIdPagination):
    """Soonest first, for things that have a `starts_at`."""

    ordering = ("starts_at", "id")


def _turned(keys: Sequence[str]) -> list[str]:
    return [key[1:] if key.startswith("-") else f"-{key}" for key in keys]


def _beyond(keys: Sequence[str], values: Sequence[Any]) -> Q:
    """Filter the rows that come after the one with these values, in the order of `keys`."""
    after, same = Q(pk__in=[]), Q()
    for key, value in zip(keys, values, strict=True):
        name = key.lstrip("-")
        after |= same & Q(**{f"{name}__{'lt' if key.startswith('-') else 'gt'}": value})
        same &= Q(**{name: value})
    # The first column alone bounds what an index has to read.
    name = keys[0].lstrip("-")
    bound = Q(**{f"{name}__{'lte' if keys[0].startswith('-') else 'gte'}": values[0]})
    return bound & after


def _read(text: str, model: type[models.Model], keys: Sequence[str]) -> tuple[bool, list[Any]]:
    """Return (backwards, sort key) of a cursor; raise BadInput for what we never wrote."""
    try:
        if len(text) > _LONGEST:
            raise ValueError
        back, *values = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
        if not isinstance(back, bool) or len(values) != len(keys):
            raise ValueError
        names = [key.lstrip("-") for key in keys]
        return back, [
            _value(model._meta.get_field(name), value)
            for name, value in zip(names, values, strict=True)
        ]
    except (ValueError, TypeError, OverflowError, RecursionError, ValidationError):
        raise BadInput({"cursor": ["Take the cursor from `next` or `previous`."]}) from None


def _value(field: Any, value: Any) -> Any:
    """Read one column's value as its field does, within what a database can compare."""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise ValueError
    found = field.to_python(value)
    if isinstance(found, datetime):
        if found.tzinfo is None:
            raise ValueError
        return found.astimezone(UTC)
    if isinstance(found, int) and abs(found) >= 2**63:
        raise ValueError
    if isinstance(found, str) and not (isinstance(value, str) and value.isprintable()):
        raise ValueError
    return found
