"""Past sales read from CSV: both forms, and what is wrong with a row said with its line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from pos_client.programme_tools.reading import Unreadable
from pos_client.programme_tools.sales import Receipt, SoldLine, read_sales

OURS = "receipt,time,sku,category,quantity,amount,card\n"
RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def read(folder: Path, text: str, encoding: str = "utf-8") -> list[Receipt]:
    file = folder / "sales.csv"
    file.write_bytes(text.encode(encoding))
    return list(read_sales(file, "EUR", lambda _done: None))


def test_our_form(tmp_path: Path) -> None:
    rows = "1,2026-03-02 08:31:00,BREAD,bakery,2,6.00,m-1\n1,2026-03-02 08:31:00,MINCE,meat,0.347,3.12,m-1\n"
    (receipt,) = read(tmp_path, OURS + rows)
    assert (receipt.number, receipt.at, receipt.card) == ("1", datetime(2026, 3, 2, 8, 31), "m-1")
    assert receipt.lines == [SoldLine("BREAD", "bakery", 2000, 600), SoldLine("MINCE", "meat", 347, 312)]


def test_columns_in_any_order_with_others_among_them(tmp_path: Path) -> None:
    text = "card,till,amount,quantity,category,sku,time,receipt\n,2,1.005,1,,A,2026-03-02T08:31,9\n"
    (receipt,) = read(tmp_path, text)
    assert receipt.lines == [SoldLine("A", "", 1000, 101)]  # half a cent goes up


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    text = OURS.replace(",", ";") + "1;2026-03-02 08:31:00;GEHAKT;vlees;0,347;3,12;m-1\n"
    (receipt,) = read(tmp_path, text, "utf-8-sig")
    assert receipt.lines == [SoldLine("GEHAKT", "vlees", 347, 312)]


def test_the_online_retail_form(tmp_path: Path) -> None:
    # Lines of the form of the public data set: unit prices, a cancellation, a missing customer, a quoted comma.
    rows = (
        '536365,85123A,"T-LIGHT HOLDER, WHITE",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n'
        "536366,22633,HAND WARMER,3,2010-12-01 08:28:00,1.855,,United Kingdom\n"
        "C536379,85123A,HOLDER,-1,2010-12-01 09:41:00,2.55,17850.0,United Kingdom\n"
    )
    receipts = read(tmp_path, RETAIL + rows)
    assert [receipt.card for receipt in receipts] == ["17850.0", "", "17850.0"]
    assert [receipt.lines[0].amount_minor for receipt in receipts] == [1530, 557, -255]  # 5.565: half a cent up
    assert receipts[2].lines[0].quantity == -1000


def test_bytes_read_are_told(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(OURS + "1,2026-03-02,A,,1,1.00,\n", encoding="utf-8")
    told: list[int] = []
    list(read_sales(file, "EUR", told.append))
    assert told[-1] == file.stat().st_size


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: expected the columns receipt,time,"),
        ("a,b\n", "line 1: expected the columns receipt,time,.* got a,b"),
        (OURS + "1,2026-03-02,A,,1,abc,\n", "line 2: amount: expected a number such as 12.50, got 'abc'"),
        (OURS + "1,2026-03-02,A,,1,NaN,\n", "line 2: amount: expected a number below a million"),
        (OURS + "1,2026-03-02,A,,1,1e9,\n", "line 2: amount: expected a number below a million"),
        (OURS + "1,yesterday,A,,1,1,\n", "line 2: time: expected a time such as 2026-03-01 08:30:00, got 'yesterday'"),
        (OURS + "1,2026-03-02,,,1,1,\n", "line 2: sku: expected 1 to 64 characters, got 0"),
        (OURS + "1,2026-03-02,A\n", "line 2: "),
        (
            OURS + "1,2026-03-02,A,,1,1,\n2,2026-03-02,A,,1,1,\n1,2026-03-02,A,,1,1,\n",
            "line 4: receipt '1' again: expected the rows of a receipt together",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(Unreadable, match=problem):
        read(tmp_path, text)


def test_another_encoding_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="save it as UTF-8"):
        read(tmp_path, OURS + "1,2026-03-02,CAFÉ,,1,1,\n", "latin-1")
    with pytest.raises(Unreadable, match="expected a CSV file of sales"):
        list(read_sales(tmp_path / "none.csv", "EUR", lambda _done: None))
