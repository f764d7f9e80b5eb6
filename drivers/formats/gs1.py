"""What a label says in GS1's terms: article, restricted number, coupon, refund, membership, … Pure, on biip.

Sources: GS1 General Specifications 24 (1.4 prefixes, 2.6 coupons, 3.2 application identifiers, 5.1.2 symbologies, 7.8
element strings, 7.9 check digits); GS1 Digital Link URI Syntax 1.4; euro coupons: "Coupon Numbers" of GS1 Ireland.
biip knows every application identifier and its form. The walks are our own. Over an element string, because biip lets a
separator be missing after a field of variable length, and then takes a bank card for a count and a batch (`37…`,
`10…`); over a Digital Link, because a till has 50 µs for a scan. `tests/drivers/test_gs1.py` holds them against biip's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit

from biip import ParseError
from biip.checksums import gs1_standard_check_digit
from biip.gs1_application_identifiers import GS1ApplicationIdentifier

from drivers.masking import mask

__all__ = ["GS", "Gs1", "LabelKind", "check_digit_valid", "is_ean", "understand", "unverified"]

GS = "\x1d"
"""The separator that a reader sends for FNC1 within a symbol (GS1 General Specifications 7.8)."""
_EAN, _EAN_WITH_ADD_ON, _EAN_8, _ITF_14 = "]E0", "]E3", "]E4", "]I1"
# GS1-128, DataBar, DataMatrix, QR code and DotCode that begin with FNC1: element strings by definition.
_ELEMENT_STRINGS = {"]C1", "]e0", "]d2", "]Q3", "]J1"}
# A value no application identifier exceeds (8112 has 70 characters), and more of them than a label holds.
_MOST_ELEMENTS = 32
# Identification keys and where their check digit stands: nothing else makes a string of digits certainly GS1's.
# 00 SSCC, 01 and 02 GTIN, 255 GCN (a serial follows its 13 digits), 8017 and 8018 GSRN.
_KEYS = {"00": 18, "01": 14, "02": 14, "255": 13, "8017": 18, "8018": 18}
# Keys that a Digital Link may begin with (GS1 Digital Link URI Syntax 1.4, 4.3).
_PRIMARY = {"00", "01", "253", "255", "401", "402", "414", "417"}
_PRIMARY |= {"8003", "8004", "8006", "8010", "8013", "8017", "8018"}
# GS1 General Specifications 2.6.3: three digits of value; 981 has one decimal, 982 two. 983 is in use nowhere yet.
_EURO_DECIMALS = {"981": 1, "982": 2}
_WEB = ("http://", "https://", "HTTP://", "HTTPS://")
# AIs are numbered in the first two to four digits: the cache cannot outgrow the heads there are.
_HEADS = 10_000


class LabelKind(StrEnum):
    """What a label stands for."""

    ARTICLE = "article"
    RESTRICTED = "restricted"
    """Restricted circulation (02, 04, 20–29; EAN-8 0, 2): what the shop says it means, weighed goods or a card."""
    COUPON = "coupon"
    """255, 8110, 8112, or a prefix from 981 to 983, or 99."""
    REFUND = "refund"
    """A refund receipt (980), such as for returned bottles."""
    MEMBERSHIP = "membership"
    """A GSRN of one who receives a service (8018): a loyalty card."""
    LOGISTICS = "logistics"
    """A shipping unit (00)."""
    PROVIDER = "provider"
    """A GSRN of one who gives a service (8017): a member of staff."""
    DATA = "data"
    """Application identifiers without a key of these."""


@dataclass(frozen=True, slots=True, repr=False)
class Gs1:
    """What was understood. Check digits of `key` are right.

    `key` is the number that identifies: GTIN (8, 13 or 14 digits), GCN with its serial, GSRN, SSCC; "" for DATA.
    `elements` are the application identifiers in order with their values. `add_on` holds the two or five digits beside
    an EAN. `amount` is a coupon's value (39nn, or 981 and 982 in euro) in whole units of `currency`, None where the
    label names none; `percent` its percentage (394n); `points` its loyalty points (8111). The repr is masked.
    """

    kind: LabelKind
    key: str
    elements: tuple[tuple[str, str], ...] = ()
    add_on: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    percent: Decimal | None = None
    points: int | None = None

    def element(self, ai: str) -> str | None:
        """Return the value of the first element with this application identifier, or None."""
        return next((value for each, value in self.elements if each == ai), None)

    def __repr__(self) -> str:
        elements = ", ".join(f"({ai}){mask(value)}" for ai, value in self.elements)
        return (
            f"Gs1(kind={str(self.kind)!r}, key={mask(self.key)!r}, elements={elements!r}, amount={self.amount}, "
            f"percent={self.percent}, points={self.points})"
        )


def understand(text: str, aim: str | None) -> Gs1 | None:
    """Return what `text` says in GS1's terms, or None where it is not GS1's or does not check.

    `text` is the data without its AIM identifier, `aim` that identifier or None where the scanner sends none. Without
    one, 8, 12 or 13 digits with a valid check digit are an EAN (`9821234010501` is a coupon, not AI 98), a URL may be a
    Digital Link, and an element string counts only when it holds an identification key with a valid check digit.
    """
    if aim in (_EAN, _EAN_8, _EAN_WITH_ADD_ON, _ITF_14):
        return _ean(text, aim)
    if text.startswith(_WEB):
        return _digital_link(text)
    if aim in _ELEMENT_STRINGS:
        return _element_string(text)
    if aim is None:
        if len(text) in (8, 12, 13):
            return _ean(text, _EAN_8 if len(text) == 8 else _EAN)
        found = _element_string(text) if len(text) > 13 and text[:2].isdigit() else None
        return found if found is not None and found.key else None
    return None


def is_ean(aim: str | None) -> bool:
    """Say whether `aim` is that of an EAN or UPC with nothing beside it."""
    return aim in (_EAN, _EAN_8)


def check_digit_valid(digits: str) -> bool:
    """Say whether the last of `digits` is GS1's check digit over the others (GS1 General Specifications 7.9.1)."""
    return digits.isascii() and digits.isdigit() and gs1_standard_check_digit(digits[:-1]) == int(digits[-1])


def unverified(label: Gs1, text: str) -> str:
    """Return of `text` what `label` does not vouch for: all but the identification keys whose check digit is right."""
    keys = [value for ai, value in label.elements if ai in _KEYS]
    if text.startswith(_WEB):
        for key in keys:
            text = text.replace(key, " ")
        return text
    return GS.join(value for ai, value in label.elements if ai not in _KEYS)


def _ean(text: str, aim: str) -> Gs1 | None:
    add_on = None
    if aim == _EAN_WITH_ADD_ON:
        # 13 digits and 2 or 5; a scanner that sends a UPC-A as such, 12 and 2 or 5.
        length = {15: 13, 18: 13, 14: 12, 17: 12}.get(len(text), 0)
        text, add_on = text[:length], text[length:]
    expected = {_EAN_8: (8,), _ITF_14: (14,)}.get(aim, (12, 13))
    if len(text) not in expected or not check_digit_valid(text) or not (add_on or "0").isdigit():
        return None
    if len(text) == 12:
        # UPC-A is an EAN-13 that begins with 0.
        text = "0" + text
    return _gtin(text, (), add_on)


def _gtin(number: str, elements: tuple[tuple[str, str], ...], add_on: str | None = None) -> Gs1:
    """What a GTIN of 8, 13 or 14 digits stands for, by its GS1 prefix."""
    if len(number) == 8:
        return Gs1(LabelKind.RESTRICTED if number[0] in "02" else LabelKind.ARTICLE, number, elements, add_on)
    thirteen = number[-13:] if number[:-13] in ("", "0") else ""
    prefix = thirteen[:3]
    amount = currency = None
    kind = LabelKind.ARTICLE
    if prefix[:1] == "2" or prefix[:2] in ("02", "04"):
        kind = LabelKind.RESTRICTED
    elif prefix == "980":
        kind = LabelKind.REFUND
    elif prefix in ("981", "982", "983") or prefix[:2] == "99":
        kind = LabelKind.COUPON
        if prefix in _EURO_DECIMALS:
            amount, currency = Decimal(thirteen[9:12]).scaleb(-_EURO_DECIMALS[prefix]), "EUR"
    return Gs1(kind, number, elements, add_on, amount, currency)


def _digital_link(text: str) -> Gs1 | None:
    """Read key and qualifiers from the path and further elements from the query, as GS1DigitalLinkURI of biip does."""
    try:
        address = urlsplit(text)
    except ValueError:
        # Brackets that hold no IPv6 address. The error quotes the text: it must not travel.
        return None
    parts = address.path.removesuffix("/").split("/")
    first = next((at for at, part in enumerate(parts) if part in _PRIMARY), len(parts))
    path = [unquote(part) for part in parts[first:]]
    if not path or len(path) % 2 or len(path) > 2 * _MOST_ELEMENTS:
        return None
    pairs = list(zip(path[::2], path[1::2], strict=True))
    if address.query:
        pairs += [pair for pair in parse_qsl(address.query) if pair[0].isdigit()][:_MOST_ELEMENTS]
    elements = []
    for ai, value in pairs:
        form = _form(ai)
        # A GTIN may stand there without the zeros that make it 14 digits.
        full = value.zfill(14) if ai == "01" else value
        if form is None or form.ai != ai or form.pattern.fullmatch(ai + full) is None:
            return None
        elements.append((ai, full))
    return _meaning(tuple(elements))


def _element_string(text: str) -> Gs1 | None:
    elements = tuple(_elements(text.removeprefix(GS)))
    return _meaning(elements) if elements and elements[-1][0] else None


def _elements(data: str) -> Iterator[tuple[str, str]]:
    """Yield (application identifier, value); an empty identifier last where the rest of `data` is not GS1's.

    The separator may be missing after a field of fixed length, where no reader can go wrong, and nowhere else.
    """
    at = count = 0
    while at < len(data):
        form = _form(data[at : at + 4])
        end = data.find(GS, at)
        match = form.pattern.match(data, at, len(data) if end < 0 else end) if form else None
        count += 1
        if form is None or match is None or count > _MOST_ELEMENTS:
            yield "", ""
            return
        yield form.ai, "".join(match.groups(""))
        at = match.end()
        if data[at : at + 1] == GS:
            at += 1
        elif at < len(data) and form.varies:
            yield "", ""
            return


@dataclass(frozen=True, slots=True)
class _Form:
    ai: str
    pattern: re.Pattern[str]
    varies: bool


@lru_cache(maxsize=_HEADS)
def _form(head: str) -> _Form | None:
    """Return the application identifier that `head`, four characters, begins with; biip looks through all 541."""
    try:
        found = GS1ApplicationIdentifier.extract(head)
    except ParseError:
        return None
    # Within a longer string the pattern's own anchors would never match.
    pattern = re.compile(found.pattern.removeprefix("^").removesuffix("$"))
    return _Form(found.ai, pattern, ".." in found.format or "[" in found.format)


def _meaning(elements: tuple[tuple[str, str], ...]) -> Gs1 | None:
    """What the elements say together; None where an identification key's check digit is wrong."""
    values: dict[str, str] = {}
    for ai, value in elements:
        values.setdefault(ai, value)
        if ai in _KEYS and not check_digit_valid(value[: _KEYS[ai]]):
            return None
    amount, currency = _amount(elements)
    percent = next((Decimal(value).scaleb(-int(ai[3])) for ai, value in elements if ai[:3] == "394"), None)
    points = int(values["8111"]) if "8111" in values else None
    for ai, kind in (
        ("8018", LabelKind.MEMBERSHIP),
        ("255", LabelKind.COUPON),
        ("8110", LabelKind.COUPON),
        ("8112", LabelKind.COUPON),
        ("8017", LabelKind.PROVIDER),
        ("00", LabelKind.LOGISTICS),
    ):
        if ai in values:
            key = values[ai] if ai in _KEYS else ""
            return Gs1(kind, key, elements, None, amount, currency, percent, points)
    gtin = values.get("01") or values.get("02")
    if gtin is not None:
        # GTIN-8, -12 and -13 stand in 14 digits with zeros before them.
        short = gtin[6:] if gtin.startswith("000000") else gtin[1:] if gtin[0] == "0" else gtin
        return _gtin(short, elements)
    return Gs1(LabelKind.DATA, "", elements, None, amount, currency, percent, points)


def _amount(elements: tuple[tuple[str, str], ...]) -> tuple[Decimal | None, str | None]:
    """Return the amount of 390n, or of 391n with its currency (ISO 4217, numeric)."""
    for ai, value in elements:
        if ai[:3] == "390":
            return Decimal(value).scaleb(-int(ai[3])), None
        if ai[:3] == "391":
            return Decimal(value[3:]).scaleb(-int(ai[3])), value[:3]
    return None, None
