"""Codes that people read aloud and type: Crockford's base 32, eight characters."""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
_SAME = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None, "\t": None})


def new_code() -> str:
    """Return a random code of 40 bits."""
    return "".join(secrets.choice(ALPHABET) for _place in range(LENGTH))


def read_code(text: str) -> str:
    """Return what was meant: any case, spaces, dashes, O for 0, I or L for 1; "" if no code."""
    code = text.upper().translate(_SAME)
    return code if len(code) == LENGTH and set(code) <= set(ALPHABET) else ""


def spaced(code: str) -> str:
    """Write a code in two groups for the eye: "7K2M QX4T"."""
    return f"{code[:4]} {code[4:]}"
