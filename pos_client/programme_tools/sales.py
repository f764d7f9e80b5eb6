"""Past sales from a CSV file, receipt by receipt, in one of two forms."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

from babel.numbers import get_currency_precision

from pos_client.programme_tools.reading import Unreadable

OUR_COLUMNS = ("receipt", "time", "sku", "category", "quantity", "amount", "card")
"""One row a receipt line: `amount` is what was paid for the line, VAT included; `card` is empty without one."""

RETAIL_COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
"""The form of the public "Online Retail" data set (UCI Machine Learning Repository): a unit price instead of an amount,
no categories, and cancelled invoices whose number begins with C."""

MAX_FIELD = 200
"""Characters of one field that are looked at; longer ones are no receipt."""

REMEMBERED = 100_000
"""Numbers as text that were read before: prices and quantities repeat."""

Step = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SoldLine:
    """One line: quantity in thousandths and amount in minor units, both negative for goods that came back."""

    sku: str
    category: str
    quantity: int
    amount_minor: int


@dataclass(slots=True)
class Receipt:
    """One receipt. `at` is on the shop's clock; `card` is empty when none was shown."""

    number: str
    at: datetime
    card: str
    lines: list[SoldLine] = field(default_factory=list)


def read_sales(path: Path, currency: str, step: Step) -> Iterator[Receipt]:
    """The receipts of a file, in its order. The rows of a receipt have to stand together.

    Args:
        currency: ISO 4217; amounts are taken to be in it.
        step: told now and then how many bytes have been read.

    Raises:
        Unreadable: the file, its header or a row; with the line number.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _receipts(file, path.name, get_currency_precision(currency), step)
    except UnicodeDecodeError as error:
        raise Unreadable([f"{path}: not UTF-8 at byte {error.start}: save it as UTF-8"]) from error
    except OSError as error:
        raise Unreadable([f"{path}: {error.strerror or 'cannot be read'}: expected a CSV file of sales"]) from error


def _receipts(file: TextIO, name: str, exponent: int, step: Step) -> Iterator[Receipt]:
    first = file.readline()
    delimiter = ";" if first.count(";") > first.count(",") else ","
    header = [column.strip() for column in next(csv.reader([first], delimiter=delimiter), [])]
    read_row = _reader(header, name, exponent)
    rows = csv.reader(file, delimiter=delimiter)
    seen: set[str] = set()
    current: Receipt | None = None
    while True:
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            raise Unreadable([f"{name}, line {rows.line_num + 1}: {error}"]) from error
        if not row:
            continue
        try:
            number, at_text, card, line = read_row(row)
            if current is None or current.number != number:
                if current is not None:
                    yield current
                    if len(seen) % 1000 == 0:
                        step(file.buffer.tell())
                if number in seen:
                    raise ValueError(
                        f"receipt '{number}' again: expected the rows of a receipt together, sort the file"
                    )
                seen.add(number)
                current = Receipt(number, _time(at_text), card)
        except (ValueError, IndexError) as error:
            raise Unreadable([f"{name}, line {rows.line_num + 1}: {error}"]) from error
        current.lines.append(line)
    if current is not None:
        yield current
    step(file.buffer.tell())


RowReader = Callable[[list[str]], tuple[str, str, str, SoldLine]]


def _reader(header: list[str], name: str, exponent: int) -> RowReader:
    if set(OUR_COLUMNS) <= set(header):
        return _our_rows(*(header.index(column) for column in OUR_COLUMNS), exponent=exponent)
    wanted = [column for column in RETAIL_COLUMNS if column not in {"Description", "Country"}]
    if set(wanted) <= set(header):
        return _retail_rows(*(header.index(column) for column in wanted), exponent=exponent)
    ours, retail, got = ",".join(OUR_COLUMNS), ",".join(RETAIL_COLUMNS), ",".join(header)[:MAX_FIELD]
    raise Unreadable([f"{name}, line 1: expected the columns {ours} or {retail}, got {got}"])


def _our_rows(*places: int, exponent: int) -> RowReader:
    receipt, time, sku, category, quantity, amount, card = places

    def read(row: list[str]) -> tuple[str, str, str, SoldLine]:
        line = SoldLine(
            _named(row[sku], "sku"),
            row[category][:64],
            _scaled(row[quantity], 3, "quantity"),
            _scaled(row[amount], exponent, "amount"),
        )
        return _named(row[receipt], "receipt"), row[time], row[card], line

    return read


def _retail_rows(*places: int, exponent: int) -> RowReader:
    invoice, stock, quantity, date, price, customer = places

    def read(row: list[str]) -> tuple[str, str, str, SoldLine]:
        line = SoldLine(
            _named(row[stock], "StockCode"),
            "",
            _scaled(row[quantity], 3, "Quantity"),
            _product(row[price], row[quantity], exponent),
        )
        return _named(row[invoice], "InvoiceNo"), row[date], row[customer], line

    return read


def _named(text: str, column: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= 64:
        raise ValueError(f"{column}: expected 1 to 64 characters, got {len(name)}")
    return name


@functools.lru_cache(REMEMBERED)
def _scaled(text: str, exponent: int, column: str) -> int:
    """A number as written, in units of 10^-exponent, halves away from zero."""
    return _whole(_number(text, column), exponent)


@functools.lru_cache(REMEMBERED)
def _product(price: str, quantity: str, exponent: int) -> int:
    return _whole(_number(price, "UnitPrice") * _number(quantity, "Quantity"), exponent)


def _whole(number: Decimal, exponent: int) -> int:
    return int(number.scaleb(exponent).quantize(Decimal(1), ROUND_HALF_UP))


def _number(text: str, column: str) -> Decimal:
    # A decimal comma, as spreadsheets write it in Dutch, is a point; thousands have no sign.
    try:
        number = Decimal(text.strip().replace(",", "."))
    except InvalidOperation as error:
        raise ValueError(f"{column}: expected a number such as 12.50, got '{text[:20]}'") from error
    if not number.is_finite() or abs(number) >= 1_000_000:
        raise ValueError(f"{column}: expected a number below a million, got '{text[:20]}'")
    return number


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError as error:
        raise ValueError(f"time: expected a time such as 2026-03-01 08:30:00, got '{text[:30]}'") from error
