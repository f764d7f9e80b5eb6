"""Receipts of real sales in every form; their codes are read back from the picture by our own decoder."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import cv2
import numpy as np
import pytest

from drivers.decoding.decode import decode
from drivers.events import ScanDataType
from drivers.printing.escpos_job import Barcode, QrCode, compose
from loyalty.codes import read_code
from loyalty.programme import Programme
from pos_client.receipts.desk import ReceiptDesk
from pos_client.receipts.document import Receipt
from pos_client.receipts.forms import as_html, as_png, as_text
from pos_client.receipts.layout import Columns, lay_out
from pos_client.runtime import Runtime
from sync.wire_mirror import AccountChange, ProgrammeChange
from tests.pos_client.programme_tools.test_logo import logo
from tests.pos_client.receipts.conftest import DOCUMENT, FOOTER, HEADER, sell
from tests.support.till import NOOR, SANNE, UNKNOWN_CARD, publish

WIDTHS: list[Columns] = [32, 42, 48]


def desk(runtime: Runtime) -> ReceiptDesk:
    return ReceiptDesk(runtime.store, runtime.terminal, runtime.config)


def receipt(runtime: Runtime, *rewards: str) -> Receipt:
    return desk(runtime).receipt(sell(runtime, rewards=rewards).entry)


def text(made: Receipt, language: str = "nl", columns: Columns = 42) -> str:
    return as_text(lay_out(made, language, columns), columns)


def ends(shown: str, left: str) -> str:
    """What stands at the right edge of the line that begins with `left`."""
    (line,) = [line for line in shown.splitlines() if line.startswith(left)]
    return line.removeprefix(left).strip()


def test_what_a_sale_says(runtime: Runtime) -> None:
    shown = text(receipt(runtime, "koffie"))
    lines = [line.strip() for line in shown.splitlines()]
    assert lines[:3] == ["Bakkerij De Molen", *HEADER.splitlines()]
    assert ends(shown, "2 x Brood") == "8,40"
    assert ends(shown, "0,347 x Kaas") == "5,15"
    assert ends(shown, "Totaal") == "€ 23,55"
    assert ends(shown, "Molenpunten") == "Sanne, Zilver"
    assert (ends(shown, "  1 punt per euro"), ends(shown, "  zilver")) == ("+23", "+11")
    assert ends(shown, "Gespaarde punten") == "+34"
    assert ends(shown, "Koffie gratis") == "-250"
    assert ends(shown, "Saldo") == "1.068"
    assert "1.284, -216 hier" in shown
    assert "geldig tot en met" in shown
    assert FOOTER in shown
    assert lines[-1] == "Bon bon-1"
    assert "KOPIE" not in shown
    assert "OEFENING" not in shown


def test_discounts_of_the_lines_add_up_to_the_total(runtime: Runtime) -> None:
    made = receipt(runtime, "vijf-euro")
    assert sum(line.gross_minor - line.discount_minor for line in made.lines) == made.payable_minor == 2605 - 500


def test_english(runtime: Runtime) -> None:
    made = receipt(runtime)
    shown = text(made, "en")
    assert ends(shown, "Total") == "€ 26.05"
    assert ends(shown, "Points earned") == "+39"


@pytest.mark.parametrize("columns", WIDTHS)
def test_every_line_fits_the_paper(runtime: Runtime, columns: Columns) -> None:
    made = replace(receipt(runtime, "koffie", "taartbon"), training=True, copy=True)
    assert max(map(len, text(made, "nl", columns).splitlines())) == columns


def test_copy_and_training_are_marked(runtime: Runtime) -> None:
    made = replace(receipt(runtime), training=True, copy=True)
    assert "*** KOPIE ***" in text(made)
    assert text(made).count("*** OEFENING - GEEN BON ***") == 2


def test_a_void_a_return_and_a_correction(runtime: Runtime) -> None:
    sale = sell(runtime, rewards=("koffie",))
    back = runtime.till.corrections.return_goods("retour-1", "bon-1", {"2": 1000})
    shown = text(desk(runtime).receipt(back.entry))
    assert "Retour" in shown
    assert ends(shown, "Terug te betalen").startswith("-€ ")
    assert ends(shown, "Punten teruggenomen") == str(back.entry.settlement.points_earned)
    assert ends(shown, "Ingewisselde punten terug") == f"+{-back.entry.settlement.points_spent}"
    sell(runtime, "bon-2")
    undone = runtime.till.bookings.void("bon-2")
    assert undone is not None
    shown = text(desk(runtime).receipt(undone.entry))
    assert "Verkoop teruggedraaid" in shown
    assert ends(shown, "Terug te betalen") == "-€ 26,05"
    given = runtime.till.corrections.adjust("c-1", UNKNOWN_CARD, 50, reason="kopje", approver="Wil")
    shown = text(desk(runtime).receipt(given.entry))
    assert "Correctie van punten" in shown
    assert "Tota" not in shown
    assert "wachten op de houder" in shown
    assert sale.entry.points == 34 - 250


def test_what_the_programme_does_not_want_shown(runtime: Runtime) -> None:
    from tests.pos_client.receipts.conftest import DOCUMENT

    bare = {**DOCUMENT, "version": 2, "receipt": {"show": []}}
    publish(runtime.mirror, [ProgrammeChange(document=Programme.from_document(bare).model_dump(mode="json"))])
    shown = text(receipt(runtime))
    for gone in ("Brood", "1 punt per euro", "Saldo", "geldig", "Dorpsstraat"):
        assert gone not in shown
    assert ends(shown, "Gespaarde punten") == "+39"


def read(png: bytes, *formats: ScanDataType) -> list[str]:
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return [symbol.text for symbol in decode(picture, formats)]


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_voucher_is_read_back_from_the_picture_of_the_bytes(runtime: Runtime, columns: Columns) -> None:
    made = receipt(runtime, "taartbon")
    (voucher,) = made.vouchers
    assert (voucher.name, voucher.value_minor) == ("Taartbon", 750)
    assert (voucher.valid_until - made.at.date()).days in {89, 90}  # type: ignore[operator]
    png = as_png(lay_out(made, "nl", columns), columns)
    assert read(png, ScanDataType.CODE_128) == [voucher.code]
    assert read_code(voucher.code) == voucher.code
    again = desk(runtime).receipt(runtime.till.bookings.commit("bon-1").entry)
    assert again.vouchers[0].code == voucher.code


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_return_code_is_read_back_from_the_picture(runtime: Runtime, columns: Columns) -> None:
    made = receipt(runtime)
    assert made.return_code is not None
    assert read(as_png(lay_out(made, "nl", columns), columns), ScanDataType.QR) == [made.return_code]


def test_a_return_code_as_the_programme_and_the_paper_have_it(runtime: Runtime) -> None:
    made = receipt(runtime)
    long = replace(made, return_code="R1:" + "A" * 1900)
    asked = "Voor een retour"
    assert asked in text(made)
    (code,) = [part for part in lay_out(long, "nl", 32) if isinstance(part, QrCode)]
    assert code.size == 3
    assert asked in text(long, columns=48)
    tight = replace(made, return_code="R1:" + "A" * 2900)
    assert asked not in text(tight, columns=32), "no code that would not be read"
    publish(runtime.mirror, [ProgrammeChange(document={**DOCUMENT, "version": 2, "receipt": {"show": ["lines"]}})])
    assert desk(runtime).receipt(sell(runtime, "bon-2").entry).return_code is None


def test_a_page(runtime: Runtime) -> None:
    made = replace(receipt(runtime, "taartbon"), first_name="<b>Sanne</b>", return_code="x")
    page = as_html(lay_out(made, "nl", 42), "Bon <1>", "nl")
    assert "&lt;b&gt;Sanne&lt;/b&gt;, Zilver" in page
    assert "<title>Bon &lt;1&gt;</title>" in page
    assert page.count("<svg") == 2
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_long_number_is_a_qr_code_on_narrow_paper(runtime: Runtime) -> None:
    made = receipt(runtime, "taartbon")
    vouchers = (replace(made.vouchers[0], code="ABCDEFGHJKMNPQRSTVWX"),)
    long = replace(made, vouchers=vouchers, return_code=None)

    def codes(columns: Columns) -> list[Any]:
        return [part for part in lay_out(long, "nl", columns) if isinstance(part, Barcode | QrCode)]

    assert [type(part) for part in codes(32)] == [QrCode]
    assert [type(part) for part in codes(48)] == [Barcode]
    assert read(as_png(lay_out(long, "nl", 48), 48), ScanDataType.CODE_128) == ["ABCDEFGHJKMNPQRSTVWX"]


def test_the_printers_bytes_hold_no_card_number(runtime: Runtime) -> None:
    made = receipt(runtime)
    stream = compose(lay_out(made, "nl", 42))
    assert NOOR.card.encode() not in stream
    assert b"2910" not in stream


def test_points_that_lapse_soon(runtime: Runtime) -> None:
    on = date.today() + timedelta(days=20)
    change = AccountChange(
        account=SANNE.account, first_name="Sanne", tier="zilver", points=1284, expires_on=on, expiring=400
    )
    publish(runtime.mirror, [change])
    wanted = f"waarvan {{}} verlopen na {on:%d-%m-%Y}"
    assert wanted.format(400) in text(receipt(runtime)).replace("\n", " ")
    made = desk(runtime).receipt(sell(runtime, "bon-2", rewards=("koffie",)).entry)
    assert wanted.format(150) in text(made).replace("\n", " "), "the coffee took 250 of them"
    publish(runtime.mirror, [ProgrammeChange(document={**DOCUMENT, "version": 2, "receipt": {"show": ["balance"]}})])
    assert "waarvan" not in text(desk(runtime).receipt(sell(runtime, "bon-3").entry))


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_logo_stands_at_the_top(runtime: Runtime, columns: Columns) -> None:
    picture = logo(576, 200)
    branding = {"logo": "molen.png", "logo_png": base64.b64encode(picture).decode()}
    publish(runtime.mirror, [ProgrammeChange(document={**DOCUMENT, "version": 2, "branding": branding})])
    made = receipt(runtime)
    parts = lay_out(made, "nl", columns)
    drawn = cv2.imdecode(np.frombuffer(as_png(parts, columns), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert drawn is not None
    wide = min(576, columns * 12)
    top = drawn[24 : 24 + 200 * wide // 576]
    assert 0.05 < (top < 128).mean() < 0.6, "it is there, and it is no black block"
    assert np.isin(top[:, 24:-24], (0, 255)).all()
    assert read(as_png(parts, columns), ScanDataType.QR) == [made.return_code]
    assert text(made, columns=columns).splitlines()[0].strip().startswith("Bakkerij")
    assert base64.b64encode(picture).decode() in as_html(parts, "Bon", "nl")
