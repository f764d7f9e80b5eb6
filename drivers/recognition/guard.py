"""The payment guard: is this our own card, a bank card, or neither. Pure, and asked before anything is kept.

PCI DSS 4.0.1, 3.3.1: sensitive authentication data is not stored after authorisation, and a loyalty till never
authorises. So bank cards end here. The order is fixed: our own formats first, payment cards second, the rest unknown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from drivers.errors import BadDeviceSettings
from drivers.formats import gs1
from drivers.formats.gs1 import Gs1

__all__ = [
    "PAYMENT_RANGES",
    "CardPattern",
    "Verdict",
    "check_patterns",
    "classify_digits",
    "classify_label",
    "classify_scan",
    "luhn_valid",
    "match_label",
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
# The same ranges as the four digits an account number starts with: one look instead of sixteen comparisons.
_PAYMENT_HEADS = frozenset(
    f"{head:04}" for first, last, _ in PAYMENT_RANGES for head in range(int(f"{first:0<4}"), int(f"{last:9<4}") + 1)
)
# ISO/IEC 7812-1, annex B: every second digit counts double, and 9 less where that makes two digits.
_DOUBLED = str.maketrans("0123456789", "0246813579")
# Start sentinels as a reader sends them; see drivers.formats.tracks.START_SENTINELS.
_TRACK_1 = "%"
_OTHER_TRACKS = ";@+#&"
# ISO/IEC 7813: account number, separator, YYMM, service code. Eight digits is the shortest issuer number alone.
_TRACK_2_BANK = re.compile(r"[0-9]{8,19}=[0-9]{7}")
# Typed numbers are grouped: one space or hyphen between two digits does not end a run.
_RUN = re.compile(r"[0-9](?:[ -]?[0-9])+")
_GROUP = re.compile(r"[0-9]+")
# A text that is nothing but digits and these is a number, however it is written.
_SEPARATORS = str.maketrans("", "", " -./,_\t")
# Application identifiers in which a shop may put a loyalty number: a membership's GSRN, and the companies' own (90–99).
_LOYALTY_AIS = ("8018", *(str(ai) for ai in range(90, 100)))


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
    """`classify_digits` for a bar code, where symbology and structure may rule a bank card out.

    `aim` None means the scanner sent no identifier; then the rule for digits applies as it stands. See
    `classify_label`.
    """
    return classify_label(text, aim, gs1.understand(text, aim), patterns)


def classify_label(text: str, aim: str | None, label: Gs1 | None, patterns: Iterable[CardPattern]) -> Verdict:
    """`classify_scan` where `label`, what the text says in GS1's terms, is known already.

    Product data, whether or not its digits pass Luhn: an EAN or UPC (`]E0`, `]E4`) with a valid check digit; one with
    an add-on (`]E3`), unless all of it passes Luhn and starts as a payment card's; and an identification key with a
    valid check digit within a GS1 symbol or a Digital Link. What stands beside that key is searched for bank numbers as
    any longer text is. docs/decisions/002-ean-is-not-a-payment-card.md has the reasons.
    """
    if match_label(text, label, patterns) is not None:
        return "loyalty"
    if label is None:
        payment = _is_payment(text)
    elif gs1.is_ean(aim):
        payment = False
    elif label.add_on:
        payment = _in_payment_range(text) and _is_pan(text)
    elif label.elements:
        # Without a key, or where only we say that it is GS1's, the rule for digits holds as well.
        vouched = label.key and (aim is not None or not text.isdigit())
        payment = _holds_pan(gs1.unverified(label, text)) or (not vouched and _is_payment(text))
    else:
        payment = _is_payment(text)
    return "payment" if payment else "unknown"


def match_label(text: str, label: Gs1 | None, patterns: Iterable[CardPattern]) -> str | None:
    """Return the loyalty number that a scan carries by one of the patterns, or None.

    It is the text itself, or what stands in it under AI 8018 (GSRN) or 90–99 (a company's own).
    """
    own = tuple(patterns)
    number = match_loyalty(text, own)
    if number is None and label is not None:
        inside = (value for ai, value in label.elements if ai in _LOYALTY_AIS)
        number = next((value for value in inside if any(pattern.matches(value) for pattern in own)), None)
    return number


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
    plain, doubled = digits[-1::-2], digits[-2::-2].translate(_DOUBLED)
    return (sum(map(int, plain)) + sum(map(int, doubled))) % 10 == 0


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
    return digits[:4] in _PAYMENT_HEADS


def _compact(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


def _is_pan(digits: str) -> bool:
    return _PAN_SHORTEST <= len(digits) <= _PAN_LONGEST and luhn_valid(digits)


def _is_payment(text: str) -> bool:
    if text.isascii() and text.isprintable():
        return _reads_as_payment(text)
    return any(_reads_as_payment(reading) for reading in _readings(text))


def _reads_as_payment(text: str) -> bool:
    if text[:2].upper() == "%B":
        return True
    whole = text.translate(_SEPARATORS)
    if whole.isascii() and whole.isdigit():
        return _is_pan(whole) or _holds_pan(text)
    if _TRACK_2_BANK.search(_compact(text)):
        return True
    if text[:1] != _TRACK_1 and text[:1] not in _OTHER_TRACKS:
        return _holds_pan(text)
    for run in _RUN.finditer(text):
        digits = _compact(run.group())
        # ISO/IEC 4909: a bank's track 3 puts a two-digit format code before the account number.
        if _is_pan(digits) or (_in_payment_range(digits[2:]) and _is_pan(digits[2:])):
            return True
    return _holds_pan(text)


def _holds_pan(text: str) -> bool:
    """Say whether an account number stands within longer text: in one run of digits, or in groups that follow."""
    for run in _RUN.finditer(text):
        groups = _GROUP.findall(run.group())
        for first in range(len(groups)):
            digits = ""
            for group in groups[first:]:
                digits += group
                if len(digits) > _PAN_LONGEST:
                    break
                if len(digits) >= _RUN_SHORTEST and _in_payment_range(digits) and luhn_valid(digits):
                    return True
    return False


def _readings(text: str) -> tuple[str, str]:
    """Return `text` with digits of any script as 0–9, and control and invisible characters left out, or as a space.

    An input method types full-width digits; an encoding gone wrong puts NUL between digits, and GS ends a field.
    """
    digits = [str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text]
    hidden = [char.isspace() or unicodedata.category(char) in ("Cc", "Cf") for char in digits]
    return (
        "".join(char for char, hide in zip(digits, hidden, strict=True) if not hide or char == gs1.GS),
        "".join(" " if hide else char for char, hide in zip(digits, hidden, strict=True)),
    )
