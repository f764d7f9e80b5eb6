"""A member's phone number and e-mail address as keyed hashes: enough to find the member by, nothing to read back."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata

PHONE_DIGITS = range(8, 16)
"""Digits of a phone number: an area with its subscriber, up to an international number (ITU-T E.164, 6)."""

PHONE_KEPT = 8
"""Digits at the end that tell a number: the shortest national number after its trunk zero. A number then is the same
with and without its country, and a chain needs no table of countries; two members in a million may share them."""

MAX_EMAIL = 254
"""Characters of an address (RFC 5321 4.5.3.1.3, less the angle brackets)."""


def phone_hash(text: str, key: bytes) -> str:
    """The keyed hash of a phone number as people write it: "06-1234 5678", "+31 6 12345678" and "0031…" are one.

    Args:
        key: the 32 bytes that card tokens are made with.

    Raises:
        ValueError: not a phone number; the text is not repeated.
    """
    digits = re.sub(r"[ .()/+-]", "", text)
    if not (digits.isascii() and digits.isdigit() and len(digits.removeprefix("00")) in PHONE_DIGITS):
        raise ValueError(f"expected a phone number of {PHONE_DIGITS.start} to {PHONE_DIGITS.stop - 1} digits")
    return _hash("phone", digits[-PHONE_KEPT:], key)


def email_hash(text: str, key: bytes) -> str:
    """The keyed hash of an e-mail address; capitals and spaces around it make no other.

    Raises:
        ValueError: not an address; the text is not repeated.
    """
    address = unicodedata.normalize("NFC", text.strip()).casefold()
    if len(address) > MAX_EMAIL or not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", address):
        raise ValueError("expected an e-mail address such as name@example.org")
    return _hash("email", address, key)


def _hash(kind: str, value: str, key: bytes) -> str:
    """HMAC-SHA-256 cut to 128 bits, in hex (RFC 4868 2.1.1), as card tokens are; never the same as one of those."""
    if len(key) != 32:
        raise ValueError(f"expected a card key of 32 bytes, got {len(key)}")
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).digest()[:16].hex()
