"""The day's report as PDF and CSV: read back, with what people type in them made harmless."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from zoneinfo import ZoneInfo

import pypdfium2
import pytest

from pos_client.office.day import DayReport, Given, day_report
from pos_client.office.files import report_csv
from pos_client.office.hints import hints
from pos_client.office.paper import report_pdf
from pos_client.runtime import Runtime
from pos_client.screen.words import Words
from tests.pos_client.office.conftest import sell
from tests.pos_client.office.test_hints import today
from tests.support.till import FATIMA, SANNE

HEALTH = (("scanner", "online", "Zebra DS2208"), ("printer", "failed", "=paper <out>"))


@pytest.fixture
def made(runtime: Runtime) -> DayReport:
    sell(runtime, FATIMA.card, minor=90_000)
    sell(runtime, FATIMA.card, minor=1000, reward="koffie")
    sell(runtime, SANNE.card)
    return day_report(runtime.store, runtime.terminal, today(runtime), "nl")


def text_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_range() for page in document)


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        ("nl", ["Verkopen met pas", "€ 930,90", "Koffie gratis", "Nog niet vergeleken", "Punten binnen minuten"]),
        ("en", ["Sales with a card", "€930.90", "Not compared yet", "Points spent within minutes", "does not work"]),
    ],
)
def test_the_pdf_says_it_all(runtime: Runtime, made: DayReport, language: str, wanted: list[str]) -> None:
    words = Words(language, ZoneInfo("Europe/Amsterdam"))
    pdf = report_pdf(words, "kassa 2", made, hints(runtime.store, made.day), HEALTH)
    text = " ".join(text_of(pdf).replace("\xa0", " ").split())
    for part in [*wanted, "Bakkerij De Molen · kassa 2", "Zebra DS2208", "=paper <out>"]:
        assert part in text, part


def test_a_pdf_of_a_very_full_day_runs_over_pages(made: DayReport) -> None:
    many = tuple(Given(f"r-{number}", f"Beloning <{number}> ☕ {'x' * 200}", 1, 1, 1) for number in range(200))
    words = Words("nl", ZoneInfo("Europe/Amsterdam"))
    pdf = report_pdf(words, "kassa 2", replace(made, given=many), (), ())
    assert len(pypdfium2.PdfDocument(pdf)) > 3


def test_the_csv_is_read_back(runtime: Runtime, made: DayReport) -> None:
    text = report_csv(made, hints(runtime.store, made.day), HEALTH)
    assert text.startswith("\ufeffsection,name,count,points,minor,text\r\n")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    found = {(row["section"], row["name"]): row for row in rows}
    assert found["entries", "sales"]["minor"] == "93090"
    assert found["entries", "sales"]["count"] == "3"
    assert found["points", "spent"]["points"] == "250"
    assert found["reward", "koffie"]["text"] == "Koffie gratis"
    assert found["proof", "open"]["count"] == "3"
    assert len(found["hint", "spent_soon"]["text"].split()) == 2
    assert found["device", "printer"]["text"] == "failed =paper <out>"


def test_no_cell_is_a_formula(made: DayReport) -> None:
    odd = replace(made, given=(Given("=cmd|' /C calc'!A0", "@SUM(A1)", 1, 1, 1),))
    rows = csv.reader(io.StringIO(report_csv(odd, (), ())))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@"))]
