"""How a receipt is laid out in columns: the parts that a printer prints, and every other form is made of. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from drivers.printing.bars import plain_code_128
from drivers.printing.escpos_job import DOTS_PER_CHARACTER, Barcode, Cut, Drawing, Part, QrCode, Text
from loyalty.explain import money
from loyalty.ledger import EntryKind
from pos_client.i18n import Translator, mark, translator
from pos_client.receipts.document import Receipt, Voucher

Columns = Literal[32, 42, 48]
"""Characters of font A across: paper of 58 mm has 32, of 80 mm 42 or 48, by the printer's model."""

_QUIET_MODULES = 20
"""Ten modules of white on both sides of Code 128 (ISO/IEC 15417, 4.6), of which the paper's margin is a part."""
_TITLES = {
    EntryKind.VOID: mark("Sale undone"),
    EntryKind.RETURN: mark("Return"),
    EntryKind.ADJUSTMENT: mark("Correction of points"),
}
_QR_DOTS = (4, 3)
"""Dots a module: half a millimetre, which every scanner reads; or 0.4 mm, where a long sale would not fit."""
_QR_BORDER = 1
"""White modules beside a code; the paper's margin is the rest of the four that ISO/IEC 18004 asks for."""


def lay_out(receipt: Receipt, language: str, columns: Columns = 42) -> list[Part]:
    """The parts of `receipt` in `language` ("nl" or "en"), for paper of `columns`."""
    return list(_Layout(receipt, language, columns).parts())


class _Layout:
    def __init__(self, receipt: Receipt, language: str, columns: Columns) -> None:
        self._receipt = receipt
        self._language = language
        self._columns = columns
        self._: Translator = translator(language)

    def parts(self) -> Iterator[Part]:
        receipt, _ = self._receipt, self._
        if receipt.training:
            yield from self._marked(_("TRAINING - NOT A RECEIPT"))
        if receipt.logo is not None:
            yield Drawing(receipt.logo, self._columns * DOTS_PER_CHARACTER)
        yield Text(_fold(receipt.shop.name, self._columns // 2), "center", bold=True, double=True)
        if receipt.header:
            yield Text(_fold(receipt.header, self._columns), "center")
        if receipt.kind in _TITLES:
            yield Text("\n" + _fold(_(_TITLES[receipt.kind]), self._columns), "center", bold=True)
        if receipt.copy:
            yield from self._marked(_("COPY"))
        yield Text("\n" + self._pair(f"{receipt.at:%d-%m-%Y %H:%M}", receipt.shop.till))
        yield from self._goods()
        yield from self._points()
        yield from self._standing()
        for voucher in receipt.vouchers:
            yield from self._voucher(voucher)
        if receipt.return_code and (dots := _qr_dots(receipt.return_code, self._columns)):
            yield self._rule()
            yield Text(_fold(_("For a return, at any of our shops:"), self._columns), "center")
            yield QrCode(receipt.return_code, dots)
        if receipt.footer:
            yield Text("\n" + _fold(receipt.footer, self._columns), "center")
        yield Text("\n" + _fold(_("Receipt {number}").format(number=receipt.receipt), self._columns), "center")
        if receipt.training:
            yield from self._marked(_("TRAINING - NOT A RECEIPT"))
        yield Cut()

    def _goods(self) -> Iterator[Part]:
        receipt, _ = self._receipt, self._
        if receipt.kind is EntryKind.ADJUSTMENT:
            return
        yield self._rule()
        for line in receipt.lines:
            count = "" if line.quantity == 1000 else f"{self._quantity(line.quantity)} x "
            yield Text(self._pair(count + line.text, self._amount(line.gross_minor)))
            if line.discount_minor:
                yield Text(self._pair("  " + _("discount"), self._amount(-line.discount_minor)))
        if receipt.lines:
            yield self._rule()
        cash = receipt.total_minor - receipt.payable_minor - sum(line.discount_minor for line in receipt.lines)
        if receipt.lines and cash:
            yield Text(self._pair(_("Paid out or taken off"), self._amount(-cash)))
        label = _("Total") if receipt.payable_minor >= 0 else _("To be paid back")
        yield Text(self._pair(label, money(receipt.payable_minor, receipt.currency, self._language)), bold=True)

    def _points(self) -> Iterator[Part]:
        receipt, _ = self._receipt, self._
        yield self._rule()
        who = ", ".join(text for text in (receipt.first_name, receipt.tier) if text)
        yield Text(self._pair(receipt.programme, who), bold=True)
        if len(receipt.earned) > 1:
            for part in receipt.earned:
                yield Text(self._pair("  " + part.name, self._signed(part.points)))
        label = _("Points taken back") if receipt.earned_points < 0 else _("Points earned")
        yield Text(self._pair(label, self._signed(receipt.earned_points)))
        for used in receipt.used:
            cost = self._signed(-used.points) if used.points else ""
            if used.stamps:
                cost = _("{count} stamps").format(count=used.stamps)
            yield Text(self._pair(used.name, cost))
        if not receipt.used and receipt.spent_points:
            yield Text(self._pair(_("Redeemed points back"), self._signed(-receipt.spent_points)))

    def _standing(self) -> Iterator[Part]:
        receipt, balance, _ = self._receipt, self._receipt.balance, self._
        if balance is not None and receipt.known:
            yield Text(self._pair(_("Balance"), self._number(balance.points)), bold=True)
            since = _("confirmed {when}: {points}").format(
                when=self._moment(balance.as_of_ms), points=self._number(balance.confirmed)
            )
            if balance.queued:
                since += ", " + _("{points} here").format(points=self._signed(balance.queued))
            yield Text(_fold(since, self._columns))
            if balance.pending > 0:
                yield Text(
                    _fold(
                        _("{points} of them can be spent later").format(points=self._number(balance.pending)),
                        self._columns,
                    )
                )
            if balance.expiring is not None:
                soon = _("{points} of them lapse after {day}").format(
                    points=self._number(balance.expiring.points), day=_day(balance.expiring.on)
                )
                yield Text(_fold(soon, self._columns), bold=True)
        elif not receipt.known:
            yield Text(_fold(_("The points wait for the holder of this card."), self._columns))
        if receipt.valid_until is not None:
            yield Text(
                _fold(_("These points are valid until {day}").format(day=_day(receipt.valid_until)), self._columns)
            )

    def _voucher(self, voucher: Voucher) -> Iterator[Part]:
        _ = self._
        yield self._rule("=")
        yield Text(_fold(voucher.name, self._columns // 2), "center", bold=True, double=True)
        worth = _("worth {amount}").format(amount=money(voucher.value_minor, self._receipt.currency, self._language))
        until = ", " + _("valid until {day}").format(day=_day(voucher.valid_until)) if voucher.valid_until else ""
        yield Text(_fold(worth + until, self._columns), "center")
        yield _code(voucher.code, self._columns)
        yield self._rule("=")

    def _marked(self, text: str) -> Iterator[Part]:
        yield Text(_fold(f"*** {text} ***", self._columns), "center", bold=True)

    def _rule(self, char: str = "-") -> Text:
        return Text(char * self._columns + "\n")

    def _pair(self, left: str, right: str) -> str:
        """`left` and `right` at the two edges; a long left wraps beside it."""
        left, right = _plain(left), _plain(right)
        if len(right) > self._columns // 2:
            return _fold(left, self._columns) + right[: self._columns].rjust(self._columns) + "\n"
        lines = textwrap.wrap(left, self._columns - len(right) - 1, subsequent_indent="  ") or [""]
        lines[0] += right.rjust(self._columns - len(lines[0]))
        return "\n".join(lines) + "\n"

    def _amount(self, minor: int) -> str:
        """An amount without its currency, which the total names."""
        shown = money(abs(minor), self._receipt.currency, self._language).split(" ", 1)[-1]
        return ("-" if minor < 0 else "") + shown

    def _number(self, value: int) -> str:
        text = f"{abs(value):,}"
        return ("-" if value < 0 else "") + (text.replace(",", ".") if self._language == "nl" else text)

    def _signed(self, value: int) -> str:
        return ("+" if value > 0 else "") + self._number(value)

    def _quantity(self, thousandths: int) -> str:
        sign, (whole, rest) = "-" if thousandths < 0 else "", divmod(abs(thousandths), 1000)
        point = "," if self._language == "nl" else "."
        return sign + (f"{whole}{point}{rest:03d}" if rest else str(whole))

    def _moment(self, at_ms: int | None) -> str:
        if at_ms is None:
            return self._("never")
        at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(self._receipt.shop.time_zone))
        return f"{at:%H:%M}" if at.date() == self._receipt.at.date() else f"{at:%d-%m-%Y %H:%M}"


def _code(code: str, columns: int) -> Barcode | QrCode:
    """Code 128 as wide as the paper allows, and a QR code where it allows none that can be read."""
    modules = len(plain_code_128(code)) + _QUIET_MODULES
    dots = columns * DOTS_PER_CHARACTER
    if modules * 3 <= dots:
        return Barcode(code, "CODE-128", 3)
    if modules * 2 <= dots:
        return Barcode(code, "CODE-128", 2)
    return QrCode(code, 6)


def _qr_dots(code: str, columns: int) -> int | None:
    """The largest module of a QR code that the paper has room for; None where it has none."""
    import segno

    modules = segno.make(code, error="l", micro=False, boost_error=False).symbol_size(border=_QR_BORDER)[0]
    return next((dots for dots in _QR_DOTS if modules * dots <= columns * DOTS_PER_CHARACTER), None)


def _fold(text: str, columns: int) -> str:
    """`text` in lines of at most `columns`, its own line ends kept."""
    return "".join(line + "\n" for part in _plain(text).splitlines() for line in textwrap.wrap(part, columns) or [""])


def _day(day: date) -> str:
    return f"{day:%d-%m-%Y}"


def _plain(text: str) -> str:
    """`text` with the characters that no code page has as those that every printer has."""
    return (
        text.replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ").replace("\N{MULTIPLICATION SIGN}", "x")
    )
