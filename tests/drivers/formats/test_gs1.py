"""What a label says in GS1's terms: prefixes, coupons, memberships, element strings, Digital Links."""

from __future__ import annotations

from decimal import Decimal

import pytest
from biip import ParseError
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_messages import GS1Message
from hypothesis import given
from hypothesis import strategies as st

from drivers.formats.gs1 import Gs1, LabelKind, check_digit_valid, understand
from drivers.recognition.guard import luhn_valid

# GS1 company prefix 871234567 is nobody's; the check digits are by GS1 General Specifications 7.9.1.
GSRN = "871234567890123451"
GCN = "8712345678906"


@pytest.mark.parametrize(
    ("text", "aim", "kind", "key"),
    [
        ("4006381333931", "]E0", LabelKind.ARTICLE, "4006381333931"),
        # UPC-A as 12 digits, the vector of the UPC's own Wikipedia article.
        ("036000291452", "]E0", LabelKind.ARTICLE, "0036000291452"),
        ("96385074", "]E4", LabelKind.ARTICLE, "96385074"),
        ("20123451", "]E4", LabelKind.RESTRICTED, "20123451"),
        ("2910000000017", "]E0", LabelKind.RESTRICTED, "2910000000017"),
        ("0212345678909", "]E0", LabelKind.RESTRICTED, "0212345678909"),
        ("0412345678903", "]E0", LabelKind.RESTRICTED, "0412345678903"),
        ("9801234567892", "]E0", LabelKind.REFUND, "9801234567892"),
        ("9812345670500", "]E0", LabelKind.COUPON, "9812345670500"),
        ("9912345678909", "]E0", LabelKind.COUPON, "9912345678909"),
        ("9780306406157", "]E0", LabelKind.ARTICLE, "9780306406157"),
        ("98712345678909", "]I1", LabelKind.ARTICLE, "98712345678909"),
        ("4006381333931", None, LabelKind.ARTICLE, "4006381333931"),
        (f"8018{GSRN}", "]C1", LabelKind.MEMBERSHIP, GSRN),
        (f"8018{GSRN}", None, LabelKind.MEMBERSHIP, GSRN),
        (f"\x1d8018{GSRN}\x1d80191", "]d2", LabelKind.MEMBERSHIP, GSRN),
        (f"8018{GSRN}80191", "]Q3", LabelKind.MEMBERSHIP, GSRN),
        (f"8017{GSRN}", "]C1", LabelKind.PROVIDER, GSRN),
        ("00106141412345678908", "]C1", LabelKind.LOGISTICS, "106141412345678908"),
        (f"255{GCN}", "]C1", LabelKind.COUPON, GCN),
        (f"255{GCN}000123", "]C1", LabelKind.COUPON, f"{GCN}000123"),
        ("8110106141416543213150110120", "]C1", LabelKind.COUPON, ""),
        ("0108712345678906", "]e0", LabelKind.ARTICLE, "8712345678906"),
        ("0102123456789003", None, LabelKind.RESTRICTED, "2123456789003"),
        ("10ABC", "]C1", LabelKind.DATA, ""),
        (f"https://id.gs1.org/8018/{GSRN}", "]Q1", LabelKind.MEMBERSHIP, GSRN),
        (f"https://shop.example/nl/8018/{GSRN}/8019/7?lang=nl", None, LabelKind.MEMBERSHIP, GSRN),
        (f"HTTPS://ID.GS1.ORG/8018/{GSRN}", "]d1", LabelKind.MEMBERSHIP, GSRN),
        (f"https://id.gs1.org/255/{GCN}?3902=150", "]Q1", LabelKind.COUPON, GCN),
        ("https://id.gs1.org/01/8712345678906/10/AB%2F1?17=301231", "]Q3", LabelKind.ARTICLE, "8712345678906"),
    ],
)
def test_kinds(text: str, aim: str | None, kind: LabelKind, key: str) -> None:
    label = understand(text, aim)
    assert label is not None
    assert (label.kind, label.key) == (kind, key)


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        ("", None),
        ("4006381333932", "]E0"),
        ("400638133393", "]E0"),
        ("96385075", "]E4"),
        ("4006381333931", "]C0"),
        ("4006381333931", "]Q1"),
        (f"8018{GSRN[:-1]}0", "]C1"),
        ("8018123", "]C1"),
        ("0108712345678906", "]Q1"),
        # Attributes alone: without an identification key nothing says that a scanner without AIM sent GS1 data.
        ("10ABC1234567890", None),
        # A field of variable length without its separator could end anywhere.
        (f"10ABC01{'0' + '8712345678906'}x", None),
        ("https://example.com/", "]Q1"),
        ("https://example.com/8018", "]Q1"),
        (f"https://id.gs1.org/8018/{GSRN[:-1]}0", "]Q1"),
        ("http://[", "]Q1"),
        ("https://id.gs1.org/01/²", "]Q1"),
    ],
)
def test_what_is_not_gs1_or_does_not_check(text: str, aim: str | None) -> None:
    assert understand(text, aim) is None


def test_without_an_identifier_thirteen_digits_are_an_ean() -> None:
    # biip 5.2 takes this for a GTIN and for AI 98 at once; a scanner that says GS1-128 settles it.
    without, ean, element = (understand("9821234010501", aim) for aim in (None, "]E0", "]C1"))
    assert without == ean
    assert ean is not None
    assert (ean.kind, ean.amount, ean.currency) == (LabelKind.COUPON, Decimal("0.50"), "EUR")
    assert element is not None
    assert element.elements == (("98", "21234010501"),)


# The two worked examples of "The numbering of coupons", GS1 Greece.
@pytest.mark.parametrize(("coupon", "euros"), [("9813765030011", "0.1"), ("9828508010106", "0.10")])
def test_euro_coupons(coupon: str, euros: str) -> None:
    label = understand(coupon, "]E0")
    assert label is not None
    assert label.amount == Decimal(euros)


def test_coupon_with_amount_percent_and_points() -> None:
    label = understand(f"255{GCN}12\x1d39021550\x1d39412500\x1d81110100", "]C1")
    assert label is not None
    assert (label.amount, label.percent, label.points) == (Decimal("15.50"), Decimal("250.0"), 100)
    assert label.currency is None
    with_currency = understand(f"255{GCN}\x1d39129780250", "]C1")
    assert with_currency is not None
    assert (with_currency.amount, with_currency.currency) == (Decimal("2.50"), "978")
    assert with_currency.element("3912") == "9780250"
    assert with_currency.element("10") is None


@pytest.mark.parametrize(("tail", "add_on"), [("12", "12"), ("51299", "51299")])
def test_add_ons(tail: str, add_on: str) -> None:
    label = understand(f"9771234567003{tail}", "]E3")
    assert label is not None
    assert (label.kind, label.key, label.add_on) == (LabelKind.ARTICLE, "9771234567003", add_on)
    upc = understand(f"036000291452{tail}", "]E3")
    assert upc is not None
    assert upc.key == "0036000291452"
    assert understand("97712345670031", "]E3") is None


def test_repr_is_masked() -> None:
    shown = repr(understand(f"8018{GSRN}\x1d801912345678", "]C1"))
    assert GSRN[:-4] not in shown
    assert "…3451" in shown


def test_bank_cards_are_no_element_strings() -> None:
    # biip takes the first for a count and a batch, the second for an area and a count; the third is AI 411.
    for pan in ("378282246310005", "3530111333300000", "4111111111111111"):
        label = understand(pan, "]C1")
        assert label is None or not label.key
        assert understand(pan, None) is None


VALUES = {
    "01": "08712345678906",
    "10": "AB-12",
    "17": "301231",
    "21": "X1",
    "30": "12",
    "3103": "001234",
    "3902": "1550",
    "8018": GSRN,
    "255": GCN + "77",
}


@given(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5, unique=True))
def test_element_strings_as_biip_reads_them(ais: list[str]) -> None:
    text = "\x1d".join(ai + VALUES[ai] for ai in ais)
    label = understand(text, "]C1")
    assert label is not None
    assert label.elements == tuple((each.ai.ai, each.value) for each in GS1Message.parse(text).element_strings)


@given(
    st.sampled_from(["01/8712345678906", f"8018/{GSRN}", f"255/{GCN}", "01/8712345678906/10/AB%2F1/21/7"]),
    st.sampled_from(["https://id.gs1.org/", "http://shop.example/nl/kaart/"]),
    st.sampled_from(["", "?17=301231", "?lang=nl&3902=100", "?linkType=all"]),
)
def test_digital_links_as_biip_reads_them(path: str, host: str, query: str) -> None:
    text = host + path + query
    label = understand(text, "]Q1")
    assert label is not None
    assert label.elements == tuple((each.ai.ai, each.value) for each in GS1DigitalLinkURI.parse(text).element_strings)


@given(
    st.text(max_size=80) | st.text("0123456789\x1d", max_size=60), st.sampled_from([None, "]E0", "]E3", "]C1", "]Q1"])
)
def test_any_text_is_understood_or_not_without_raising(text: str, aim: str | None) -> None:
    label = understand(text, aim)
    assert label is None or isinstance(label, Gs1)


@given(st.text("/0123456789%?&=abc:", max_size=60))
def test_any_address_is_understood_or_not_without_raising(tail: str) -> None:
    label = understand("https://" + tail, "]Q1")
    if label is not None:
        assert all(ai.isdigit() and value for ai, value in label.elements)
    try:
        GS1DigitalLinkURI.parse("https://" + tail)
    except (ParseError, ValueError):
        return
    # Whatever biip takes is a Digital Link here, but for a key whose check digit is wrong.
    assert label is None or label.elements


def test_check_digits() -> None:
    assert check_digit_valid(GSRN)
    assert not check_digit_valid("²2")
    assert not check_digit_valid("x")
    assert luhn_valid("79927398713"), "ISO/IEC 7812-1's well-known example"
