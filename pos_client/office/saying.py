"""A day's report in words, for the page and for the files: figures with their names, states, hints; in nl and en."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from babel.dates import format_date

from loyalty.serving import Tender
from pos_client.i18n import mark
from pos_client.office.day import DayReport, ProofState, Tally
from pos_client.office.hints import Hint, HintKind
from pos_client.screen.words import Words

PROOFS: Mapping[ProofState, str] = {
    ProofState.AGREES: mark("Head office agrees"),
    ProofState.DIFFERS: mark("Head office has other figures: call head office"),
    ProofState.OPEN: mark("Not compared yet: that happens at night"),
}
STATES: Mapping[str, str] = {
    "open": mark("waits"),
    "referred": mark("head office decides"),
    "linked": mark("linked and booked"),
    "approved": mark("booked as stated"),
    "reversed": mark("nothing booked"),
}
DEVICE_STATES: Mapping[str, str] = {
    "online": mark("works"),
    "offline": mark("not connected"),
    "failed": mark("does not work"),
}
HINTS: Mapping[HintKind, str] = {
    HintKind.MANY_ON_CARD: mark("Many sales on one card: {count}"),
    HintKind.CASHIER_ON_CARD: mark("Many sales on one card by one cashier: {count}"),
    HintKind.CASHIER_BURST: mark("More sales with a card than one cashier can serve: {count} in a row"),
    HintKind.CARD_AFTER_TENDER: mark("Card put on the sale after the customer began to pay: {count}"),
    HintKind.LATE_ATTACH: mark("Card attached to a sale that was paid while this till did not answer: {count}"),
    HintKind.SPENT_SOON: mark("Points spent within minutes of earning"),
    HintKind.REFUND_KEEPS_POINTS: mark("Goods taken back within a sale, not as a return of the sale they came from"),
}


TENDERS: Mapping[str, str] = {
    Tender.CASH: mark("cash"),
    Tender.CARD: mark("bank card"),
    Tender.VOUCHER: mark("voucher"),
    Tender.OTHER: mark("otherwise"),
}


def figures(words: Words, made: DayReport) -> list[tuple[str, str]]:
    """The day's figures with their names."""
    _ = words.translate
    return [
        (_("Sales with a card"), words.points(made.sales.count)),
        (_("Members"), words.points(made.members)),
        (_("Paid"), words.money(made.paid_minor, made.currency)),
        (_("Points given"), words.points(made.earned)),
        (_("Points redeemed"), words.points(made.spent)),
        (_("Undone"), words.points(made.voids.count)),
        (_("Returns"), _tally(words, made.returns)),
        (_("Adjustments"), _tally(words, made.adjustments)),
        (_("Not booked by head office"), words.points(made.unbooked)),
        (_("Waiting to be sent"), words.points(made.queued)),
    ]


def say_hint(words: Words, hint: Hint) -> str:
    """What was noticed, in one line: with whom, and how it was paid, where that is known."""
    _ = words.translate
    parts = [_(HINTS[hint.kind]).format(count=words.points(len(hint.entries)))]
    if hint.cashier is not None:
        parts.append(_("cashier {cashier}").format(cashier=hint.cashier))
    if hint.tender:
        parts.append(_("paid: {how}").format(how=", ".join(_(TENDERS[kind]) for kind in hint.tender)))
    return " · ".join(parts)


def day_name(words: Words, day: date) -> str:
    """ "zaterdag 21 november 2026"."""
    return format_date(day, "full", locale="nl" if words.language == "nl" else "en_GB")


def _tally(words: Words, tally: Tally) -> str:
    return f"{words.points(tally.count)} ({words.signed(tally.points)})" if tally.count else words.points(0)
