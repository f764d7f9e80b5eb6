"""Look up: whoever a text leads to; a member's story, and what a manager may do about their points."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import uuid6

from loyalty.card_orders import CardAction
from pos_client.manager.elements import Form, button, choice, el, facts, field, form, table
from pos_client.manager.words import CARD_ACTIONS, KINDS, STANDINGS, moment
from pos_client.office.lookup import Kind, Lookup, Person
from pos_client.office.story import Line, Stories
from pos_client.plugin.messages_manager import MAX_ADJUSTMENT
from sync.terminal import wall_ms

if TYPE_CHECKING:
    from pos_client.manager.page import Window


async def show(window: Window) -> None:
    """What there is before anything was looked up."""
    _ = window.words.translate
    el("h1", _("Look up"))
    el("p", _("Scan a card, or type a card, a phone number, an e-mail address or a receipt's number."), "quiet")


async def found(window: Window, text: str) -> None:
    """Whoever `text` leads to."""
    _ = window.words.translate
    runtime = window.runtime
    lookup = Lookup(runtime.store, runtime.terminal.card_key, runtime.config.card_formats)
    finding = await window.read(lambda: lookup.find(text))
    if finding is None:
        await show(window)
        return
    if len(finding.people) == 1:
        receipt = finding.receipt.id if finding.receipt else None
        shown = finding.shown if finding.kind is Kind.CARD else ""
        await account(window, finding.people[0], receipt=receipt, shown=shown)
        return
    el("h1", finding.shown)
    if not finding.people:
        el("p", _("Nobody is known here by this."), "quiet")
        return

    def open_(person: Person) -> None:
        button(_("Open"), lambda: window.fill(lambda at: account(at, person)))

    table(
        _("Members"),
        [(_("Name"), "text"), (_("Tier"), "text"), (_("Points"), "number"), ("", "text")],
        [
            (
                _name(window, person),
                _tier(window, person),
                window.words.points(person.holder.balance),
                partial(open_, person),
            )
            for person in finding.people
        ],
    )


async def account(window: Window, person: Person, *, receipt: str | None = None, shown: str = "") -> None:
    """A member's page: balance, story, actions. `receipt`: the entry that was asked for; `shown`: the card, masked."""
    _ = window.words.translate
    words, now = window.words, wall_ms()
    lines = await window.read(lambda: Stories(window.runtime.store, window.language).of(person))
    contact = window.runtime.mirror.contact()
    holder = person.holder
    with el("div", "", "title"):
        el("h1", _name(window, person))
        el("span", _tier(window, person), "tier")
    as_of = words.moment(contact.as_of_ms, now) if contact.as_of_ms else _("never")
    rows = [
        (_("Points"), words.points(holder.balance)),
        (_("Confirmed {time}").format(time=as_of), words.points(holder.confirmed)),
        (_("Added here since"), words.signed(holder.queued)),
    ]
    if holder.pending:
        rows.append((_("Not to be spent yet"), words.points(holder.pending)))
    facts([*rows, (_("Cards"), shown or str(len(person.cards)))])
    if holder.blocked:
        el("p", _("This card is blocked."), "note")
    with el("div", "", "boxes"):
        _adjusting(window, person)
        if holder.known:
            _card(window, person)
    _story(window, lines or [], receipt)


def _adjusting(window: Window, person: Person) -> None:
    _ = window.words.translate
    # Made with the form, and not with its sending: pressing twice, or again after a fault, is one adjustment.
    asked = str(uuid6.uuid7())
    with el("details", "", "action-box"):
        el("summary", _("Adjust the points"))

        async def send(sent: Form) -> None:
            text = sent.get("points", "").strip().replace("−", "-")
            digits = text.removeprefix("-").removeprefix("+")
            points = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 9 else 0
            reason = sent.get("reason", "").strip()
            if not points or abs(points) > MAX_ADJUSTMENT or not reason:
                window.say(_("An adjustment needs points and a reason"), "warn")
                return
            corrections = window.runtime.till.corrections
            done = _("Booked: {points} points").format(points=window.words.signed(points))
            card = person.holder.card
            if await window.do(
                lambda name: corrections.adjust_card(asked, card, points, reason=reason, approver=name), done
            ):
                await _again(window, person)

        with form(send, "inline"):
            field(_("Points (− to take)"), "points", inputmode="numeric", required=True, autocomplete="off")
            field(_("Reason"), "reason", "wide", required=True, maxlength=200, autocomplete="off")
            el("button", _("Book"), "primary", type="submit")


def _card(window: Window, person: Person) -> None:
    """Block or replace the card that was looked up; found by phone or address, the first of the member's."""
    _ = window.words.translate
    asked = str(uuid6.uuid7())
    blocked = person.holder.blocked
    wanted = [CardAction.UNBLOCK if blocked else CardAction.BLOCK, CardAction.REPLACE]
    with el("details", "", "action-box"):
        el("summary", _("Block or replace the card"))

        async def send(sent: Form) -> None:
            action, reason = sent.get("action", ""), sent.get("reason", "").strip()
            new = sent.get("new_card", "").strip() or None
            if action not in wanted or not reason or (new is None) == (action == CardAction.REPLACE):
                window.say(_("Give a reason; a new card for a replacement, and only then"), "warn")
                return
            corrections, card = window.runtime.till.corrections, person.holder.card

            def order(name: str) -> object:
                return corrections.order_card(
                    asked, card, CardAction(action), new_card_text=new, reason=reason, approver=name
                )

            if await window.do(order, _("Done here at once; other tills hear of it from head office")):
                await _again(window, person)

        with form(send, "inline"):
            choice(_("What to do"), "action", [(each.value, _(CARD_ACTIONS[each])) for each in wanted])
            field(_("New card, to replace it"), "new_card", autocomplete="off")
            field(_("Reason"), "reason", "wide", required=True, maxlength=200, autocomplete="off")
            el("button", _("Do it"), "primary", type="submit")


async def _again(window: Window, person: Person) -> None:
    """The member's page as it is now."""
    runtime = window.runtime
    lookup = Lookup(runtime.store, runtime.terminal.card_key, runtime.config.card_formats)
    fresh = await window.read(lambda: lookup.person(person.holder.card))
    if fresh is not None:
        await window.fill(lambda at: account(at, fresh))


def _story(window: Window, lines: list[Line], receipt: str | None) -> None:
    _ = window.words.translate
    words, now = window.words, wall_ms()
    if not lines:
        el("p", _("Nothing was booked at this till. What was bought elsewhere is in the balance."), "quiet")
        return

    def how(line: Line) -> None:
        entry = line.entry
        if line.entry.id == receipt:
            el("strong", _("This receipt"), "mark")
        el("span", f"{entry.reason} — {entry.approver}" if entry.reason else line.said)
        el("small", entry.session, "quiet")

    table(
        _("At this till, newest first"),
        [
            (_("When"), "text"),
            (_("What"), "text"),
            (_("Points"), "number"),
            (_("How"), "text"),
            (_("Head office"), "text"),
        ],
        [
            (
                moment(words, window.zone, line.entry.clock.wall_ms, now),
                _what(window, line),
                words.signed(line.entry.points),
                partial(how, line),
                _(STANDINGS[line.standing]),
            )
            for line in lines
        ],
    )


def _what(window: Window, line: Line) -> str:
    _ = window.words.translate
    if line.entry.order is not None:
        return _(CARD_ACTIONS[line.entry.order.action])
    return _(KINDS.get(line.entry.kind, str(line.entry.kind)))


def _name(window: Window, person: Person) -> str:
    _ = window.words.translate
    if not person.holder.known:
        return _("A card of nobody yet")
    if not window.runtime.config.till.show_first_name:
        return _("Member")
    return person.holder.first_name or _("Member")


def _tier(window: Window, person: Person) -> str:
    programme = window.runtime.mirror.programme()
    if programme is None or not person.holder.known:
        return ""
    return programme.tier(person.holder.tier or "").name.get(window.language)
