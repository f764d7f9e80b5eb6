"""The screen while something else than a sale is on it: goods that come back, or a pad to type on. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pos_client.i18n import mark
from pos_client.screen.facts import Facts
from pos_client.screen.memory import Memory
from pos_client.screen.pad import Pad
from pos_client.screen.returning import Returning
from pos_client.screen.rows import MAX_ROWS, return_rows
from pos_client.screen.shown import MAX_LINES, Action, LineRow, Message, Offer, PadView, View
from pos_client.screen.words import Words

_SAYS = {
    "amount": mark("Type the amount, then present the card"),
    "number": mark("Type the number below the bars, or a phone number"),
    "pin": mark("The customer types the PIN"),
    "receipt": mark("Scan the receipt, or take the last one"),
    "consent": mark("Read this with the customer"),
}
"""What each pad asks for."""


def return_view(words: Words, facts: Facts, view: View, returning: Returning) -> View:
    """The same screen while goods come back: lines to tap on the left, what they come to on the right."""
    _ = words.translate
    back, sale = returning.worked_out(), returning.sale
    points = back.settlement.points_delta if back else 0
    rows = return_rows(words, returning)
    lines: tuple[LineRow, ...] = ()
    if back:
        lines = tuple(
            LineRow(
                f"{words.quantity(-line.quantity)} × {line.text or line.sku}",
                words.money(line.gross_minor, sale.basket.currency),
            )
            for line in back.basket.lines
        )[-MAX_LINES:]
    amount = words.money(-back.basket.gross_minor if back else 0, sale.basket.currency)
    return replace(
        view,
        phase="return",
        name=_("Return"),
        tier="",
        balance=words.signed(points) if points else "0",
        unit=_("points"),
        as_of=_("receipt of {day} · {amount}").format(
            day=words.moment(sale.at_ms, facts.now_ms),
            amount=words.money(sale.payable_minor, sale.basket.currency),
        ),
        expiring="",
        rows=rows[:MAX_ROWS],
        more=_("{count} more lines at the till").format(count=len(rows) - MAX_ROWS) if len(rows) > MAX_ROWS else "",
        heading=_("Comes back"),
        total="",
        lines=lines,
        earns="",
        earns_detail="",
        spends="",
        to_pay=amount,
        to_pay_label=_("To pay back"),
        action=Action(_("Take back"), "ready" if back else "off"),
        offer=Offer("F10", "F10", _("Everything")) if not view.message else None,
        message=view.message or Message("info", _("Tap what comes back")),
        question="",
        announce=view.announce or _("Return: tap what comes back"),
    )


def pad_view(words: Words, facts: Facts, view: View, pad: Pad, memory: Memory) -> View:
    """The same screen while something is typed or agreed to: the pad stands where the receipt stood."""
    _ = words.translate
    programme = facts.programme
    ready: Literal["ready", "off"] = "ready" if pad.complete else "off"
    match pad.kind:
        case "amount":
            currency = programme.currency if programme else "EUR"
            shown = PadView(pad.kind, _("Amount of the sale"), words.money(pad.amount_minor, currency), "", True)
            action = Action(_("To the receipt"), ready)
        case "number":
            shown = PadView(pad.kind, _("Number of the card or phone"), words.grouped(pad.typed), "", True)
            action = Action(_("Look up"), ready)
        case "pin":
            shown = PadView(pad.kind, _("PIN of the member"), "●" * len(pad.typed), "", True)
            action = Action(_("Check"), ready)
        case "receipt":
            text = _("Scan the code on the receipt")
            shown = PadView(pad.kind, _("Return"), "", text, False)
            last = memory.last is not None and not memory.last.voided
            action = Action(_("Last receipt"), "ready" if last else "off")
        case "consent":
            terms = programme.texts.terms if programme else None
            text = terms.get(words.language) if terms else ""
            shown = PadView(pad.kind, _("Become a member"), "", text, False)
            action = Action(_("Customer agrees"), ready)
    message = view.message if view.message and memory.notice else Message("info", _(_SAYS[pad.kind]))
    return replace(
        view,
        pad=shown,
        hint=shown.text if pad.kind == "receipt" else view.hint,
        action=action,
        message=message,
        offer=Offer("Escape", "Esc", _("Cancel")),
        question="",
        announce=f"{shown.title}. {message.text}",
    )
