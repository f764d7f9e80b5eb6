"""The payment guard: is this our own card, a bank card, or neither. Pure, and asked before anything is kept.

PCI DSS 4.0.1, 3.3.1: sensitive authentication data is not stored after authorisation, and a loyalty till never
authorises. So bank cards end here. The order is fixed: our own formats first, payment cards second, the rest unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from biip.checksums import gs1_standard_check_digit

from drivers.errors import BadDeviceSettings

__all__ = [
    "PAYMENT_RANGES",
    "CardPattern",
    "Verdict",
    "check_patterns",
    "classify_digits",
    "classify_scan",
    "luhn_valid",
    "match_loyalty",
]

Verdict = Literal["loyalty", "payment", "unknown"]

# Issuer identification numbers (ISO/IEC 7812-1) that the card schemes use: first, last, scheme.
PAYMENT_RANGES: tuple[tuple[str, str, str], ...] = (
    ("4", "4", "Visa"),
    ("51", "55", "Mastercard"),
    ("2221", "2720", "Mastercard"),
    ("34", "34", "American Express"),
    ("37", "37", "American Express"),
    ("6011", "6011", "Discover"),
    ("644", "649", "Discover"),
    ("65", "65", "Discover"),
    ("3528", "3589", "JCB"),
    ("300", "305", "Diners Club"),
    ("309", "309", "Diners Club"),
    ("36", "36", "Diners Club"),
    ("38", "39", "Diners Club"),
    ("62", "62", "UnionPay"),
    ("50", "50", "Maestro"),
    ("56", "69", "Maestro"),
)

# ISO/IEC 7812-1: a primary account number has at most 19 digits; 12 is the shortest the schemes issue (Maestro).
_PAN_SHORTEST = 12
_PAN_LONGEST = 19
# Within longer text a run of digits is taken for a card from 13 on: a 12-digit run there is as likely a time stamp.
_RUN_SHORTEST = 13
# Start sentinels as a reader sends them; see drivers.tracks.START_SENTINELS.
_TRACK_1 = "%"
_OTHER_TRACKS = ";@+#&"
# ISO/IEC 7813: account number, separator, YYMM, service code. Eight digits is the shortest issuer number alone.
_TRACK_2_BANK = re.compile(r"[0-9]{8,19}=[0-9]{7}")
# Typed numbers are grouped: one space or hyphen between two digits does not end a run.
_RUN = re.compile(r"[0-9](?:[ -]?[0-9])+")


@dataclass(frozen=True, slots=True)
class CardPattern:
    """One of the shop's own card formats, as plain data from the configuration.

    `prefix` starts every number; `length` counts all its characters, prefix and check digit included; `format_code`,
    where given, is the letter that track 1 must carry before the number (the other carriers have no such letter).
    """

    name: str
    prefix: str
    length: int
    format_code: str | None = None

    def matches(self, number: str) -> bool:
        """Say whether `number`, without sentinels and format code, has this form."""
        return len(number) == self.length and number.startswith(self.prefix) and number.isascii() and number.isalnum()


def classify_digits(text: str, patterns: Iterable[CardPattern]) -> Verdict:
    """Say what `text` is: a typed or scanned number, or one raw track with its start sentinel (`;…?`).

    In this order: a configured pattern matches → "loyalty"; track 1 format B, a track 2 with expiry and service code,
    or 12–19 digits passing Luhn → "payment"; else "unknown". Spaces and hyphens between digits do not count. Bank
    numbers inside longer text are found too: a run of 13–19 digits that starts as a payment card's and passes Luhn.
    Source: PCI DSS 4.0.1, 3.3.1; ISO/IEC 7812-1; ISO/IEC 7813.
    """
    if match_loyalty(text, patterns) is not None:
        return "loyalty"
    return "payment" if _is_payment(text) else "unknown"


def classify_scan(text: str, aim: str | None, patterns: Iterable[CardPattern]) -> Verdict:
    """`classify_digits` for a bar code, where the symbology may rule a bank card out.

    An EAN-13, UPC-A or EAN-8 (`]E0`, `]E4`) of 13, 12 or 8 digits with a valid GS1 check digit is an article number,
    even where it passes Luhn: docs/decisions/002-ean-is-not-a-payment-card.md. `aim` None means the scanner sent no
    identifier; then the rule for digits applies as it stands.
    """
    if match_loyalty(text, patterns) is not None:
        return "loyalty"
    if _is_article_number(text, aim):
        return "unknown"
    return "payment" if _is_payment(text) else "unknown"


def match_loyalty(text: str, patterns: Iterable[CardPattern]) -> str | None:
    """Return the loyalty number that `text` carries by one of the patterns, or None.

    `text` is as for `classify_digits`. On track 1 the number stands between the format code and `^`, on the others
    before `=`.
    """
    first = text[:1]
    if first == _TRACK_1:
        field = text[1:].rstrip("?").split("^", 1)[0].strip()
        for pattern in patterns:
            if pattern.format_code is not None:
                number = field.removeprefix(pattern.format_code) if field.startswith(pattern.format_code) else ""
            elif field[:1].isalpha() and not pattern.matches(field):
                number = field[1:]
            else:
                number = field
            if pattern.matches(number):
                return number
        return None
    number = text[1:].rstrip("?").split("=", 1)[0] if first and first in _OTHER_TRACKS else _compact(text)
    return number if any(pattern.matches(number) for pattern in patterns) else None


def luhn_valid(digits: str) -> bool:
    """Say whether the last of `digits` is the check digit over the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = ord(char) - 0x30
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def check_patterns(patterns: Sequence[CardPattern]) -> None:
    """Refuse patterns that a bank card could match.

    Raises BadDeviceSettings naming the prefix, the payment range and the remedy.
    The prefix alone decides, whatever the length: a bank card that loses characters on the way must not become ours.
    """
    for pattern in patterns:
        where = f"card format {pattern.name!r}"
        if not pattern.prefix or not pattern.prefix.isascii() or not pattern.prefix.isalnum():
            raise BadDeviceSettings(
                f"expected a card prefix of letters and digits, got {pattern.prefix!r}",
                where,
                "give the shop's own prefix",
            )
        if pattern.length < len(pattern.prefix):
            raise BadDeviceSettings(
                f"expected a length of at least {len(pattern.prefix)}, the prefix's own, got {pattern.length}",
                where,
                "count every character of the number, prefix and check digit included",
            )
        for first, last, scheme in PAYMENT_RANGES:
            if _can_fall_in(pattern.prefix, first, last):
                span = first if first == last else f"{first}–{last}"
                raise BadDeviceSettings(
                    f"card prefix {pattern.prefix!r} can fall in the payment range {span} of {scheme}",
                    where,
                    "choose or lengthen the prefix so that no bank card starts with it, for example 21, 28, 29 or 9",
                )


def _can_fall_in(prefix: str, first: str, last: str) -> bool:
    """Say whether some number that starts with `prefix` starts with a value from `first` to `last` (equal widths)."""
    if not prefix.isdigit():
        return False
    width = len(first)
    lowest = prefix[:width].ljust(width, "0")
    highest = prefix[:width].ljust(width, "9")
    return lowest <= last and highest >= first


def _in_payment_range(digits: str) -> bool:
    return any(first <= digits[: len(first)] <= last for first, last, _ in PAYMENT_RANGES)


def _compact(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def _is_pan(digits: str) -> bool:
    return _PAN_SHORTEST <= len(digits) <= _PAN_LONGEST and luhn_valid(digits)


def _is_payment(text: str) -> bool:
    if text.startswith("%B"):
        return True
    whole = _compact(text)
    if whole.isascii() and whole.isdigit():
        return _is_pan(whole)
    if _TRACK_2_BANK.search(whole):
        return True
    on_track = text[:1] == _TRACK_1 or text[:1] in _OTHER_TRACKS
    for run in _RUN.finditer(text):
        digits = _compact(run.group())
        if on_track:
            # ISO/IEC 4909: a bank's track 3 puts a two-digit format code before the account number.
            if _is_pan(digits) or (_in_payment_range(digits[2:]) and _is_pan(digits[2:])):
                return True
        elif len(digits) >= _RUN_SHORTEST and _in_payment_range(digits) and _is_pan(digits):
            return True
    return False


def _is_article_number(text: str, aim: str | None) -> bool:
    if not (text.isascii() and text.isdigit()):
        return False
    if (aim == "]E0" and len(text) in (12, 13)) or (aim == "]E4" and len(text) == 8):
        return gs1_standard_check_digit(text[:-1]) == int(text[-1])
    return False
