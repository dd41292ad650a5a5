"""Credits are integers of hundredths inside and strings with two decimals outside."""

import re

_CREDITS = re.compile(r"^([0-9]{1,12})(?:\.([0-9]{1,2}))?$")


def credits_text(amount: int) -> str:
    """Write hundredths as the contract's string: 150 → "1.50", -5 → "-0.05"."""
    sign = "-" if amount < 0 else ""
    whole, hundredths = divmod(abs(amount), 100)
    return f"{sign}{whole}.{hundredths:02d}"


def parse_credits(text: object) -> int:
    """Read a string such as "1.5" as hundredths (150).

    Raises ValueError for anything but digits with at most two decimals: a float or an exponent
    would round silently.
    """
    match = _CREDITS.match(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError('Write credits as digits with at most two decimals, such as "1.50".')
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
