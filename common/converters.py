"""URL converters."""

from django.urls import register_converter


class IdConverter:
    """An id that fits a 64-bit column; a longer number is a 404, not an overflow."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


def register() -> None:
    """Make `<id:…>` known to every urls.py."""
    register_converter(IdConverter, "id")
