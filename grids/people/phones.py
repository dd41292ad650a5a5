"""Phone numbers as people write them, and as they are stored."""

from typing import Any

import phonenumbers
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers


def parse_phone(text: str, *, strict: bool = False) -> str | None:
    """Return the number in E.164, or None when `text` can't be one.

    Numbers without "+" are read in the site's region. Sign-in takes every possible number, since
    new ranges open before the tables know them; `strict` (imports) also demands a known range,
    which catches a digit too many.
    """
    text = text.strip()
    if not text.isprintable():  # the parser would skip a NUL byte
        return None
    try:
        number = phonenumbers.parse(text, settings.PHONENUMBER_DEFAULT_REGION)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    if strict and not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def masked(phone: str) -> str:
    """Hide the middle of a number in logs and on screens: +8613800001234 → +86…1234."""
    return f"{phone[:3]}…{phone[-4:]}"


class PhoneField(serializers.CharField):
    """A phone number in a body, in any common form; E.164 inside."""

    default_error_messages = {
        "phone": _("This is no phone number. Example: +86 138 0000 0000."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=40, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        phone = parse_phone(super().to_internal_value(data))
        if phone is None:
            self.fail("phone")
        return phone
