"""From facts to a view: every string of the cashier's screen, ready to show. Pure."""

from __future__ import annotations

from loyalty.basket import Line
from loyalty.programme_members import OfflinePolicy
from pos_client.pairing import Asked
from pos_client.screen.brand import brand
from pos_client.screen.facts import Facts
from pos_client.screen.memory import Memory, Notice
from pos_client.screen.panels import pad_view, return_view
from pos_client.screen.rows import MAX_ROWS, reward_rows, why_not
from pos_client.screen.shown import LOGO_PATH, MAX_LINES, PRACTICE_KEYS, Action, Drill, LineRow, Message, Offer, View
from pos_client.screen.words import NOTICES, OTHER_NOTICE, OTHER_UNPRINTED, UNPRINTED, Words
from pos_client.session import Quote, SessionState
from pos_client.tokens import Scope
from sync.mirror import Holder

_ORIGIN_SHOWN = 30
"""Characters of a page's origin beside a code: what four lines of the message hold at 1024×600."""


def build_view(facts: Facts, memory: Memory, language: str) -> View:
    """Say `facts` in `language` ("nl" or "en")."""
    words = Words(language, facts.zone)
    _ = words.translate
    quote = facts.quote if facts.quote and facts.quote.session != memory.dismissed else None
    booked = quote is not None and quote.state is SessionState.BOOKED
    holder = facts.holder if quote or not facts.quote else None
    spent = quote.settlement.points_spent if quote else 0
    programme = facts.programme
    message = _message(words, facts, memory, quote, booked)
    rows = reward_rows(words, facts, quote) if holder and programme and not booked else ()
    fit = MAX_ROWS - 1 if facts.may_join else MAX_ROWS  # joining has the last key
    view = View(
        language=language,
        phase="booked" if booked else "card" if holder else "idle",
        online=facts.online,
        badge=_badge(words, facts),
        place=f"{facts.store_name} · {facts.till_name}",
        devices=_("Not ready: {devices}").format(devices=", ".join(facts.devices_away)) if facts.devices_away else "",
        clock=words.time(facts.now_ms),
        shop=facts.store_name,
        hint=_("Scan or swipe the card"),
        allowed=_allowed(words, facts),
        last=_last(words, memory),
        name=_name(words, facts, holder) if holder else "",
        tier=programme.tier(holder.tier or "").name.get(language) if holder and holder.known and programme else "",
        balance=words.points(holder.balance) if holder else "",
        unit=_("point") if holder and holder.balance == 1 else _("points"),
        as_of=_as_of(words, facts),
        expiring=_expiring(words, facts, holder) if holder else "",
        rows=rows[:fit],
        more=_more(words, facts, len(rows), fit),
        heading=_("Receipt"),
        total=words.money(quote.basket.gross_minor, quote.basket.currency) if quote else "",
        lines=_lines(words, quote) if quote else (),
        earns=words.signed(quote.settlement.points_earned) if quote else "",
        earns_detail=_earns_detail(words, quote) if quote else "",
        spends=words.signed(-spent) if spent else "",
        to_pay=words.money(quote.settlement.payable_minor, quote.basket.currency) if quote else "",
        to_pay_label=_("To pay"),
        action=_action(words, facts, quote, booked),
        message=message,
        offer=_offer(words, facts, memory, message, booked=quote if booked else None),
        question=_question(words, facts, memory, quote, booked),
        pad=None,
        logo=f"{LOGO_PATH}?v={programme.version}" if programme and programme.branding.logo_png else "",
        brand=brand(programme.branding.colour) if programme and programme.branding.colour else None,
        drill=_drill(words, facts),
        announce=_announce(words, facts, holder, message),
    )
    if memory.returning is not None:
        view = return_view(words, facts, view, memory.returning)
    return pad_view(words, facts, view, memory.pad, memory) if memory.pad is not None else view


def _drill(words: Words, facts: Facts) -> Drill | None:
    _ = words.translate
    if facts.practice is None:
        return None
    cards = ((_("a member's card"), facts.practice.member), (_("a new card"), facts.practice.nobody))
    named = (*cards, (_("a blocked card"), facts.practice.blocked))
    return Drill(
        tuple((key, what, words.grouped(card)) for key, (what, card) in zip(PRACTICE_KEYS, named, strict=True)),
    )


def _name(words: Words, facts: Facts, holder: Holder) -> str:
    _ = words.translate
    if holder.known:
        return holder.first_name or "" if facts.show_first_name else ""
    return _("New member") if facts.enrolled else _("New card")


def _question(words: Words, facts: Facts, memory: Memory, quote: Quote | None, booked: bool) -> str:
    """The shop's one question, while the customer who was booked has not answered it."""
    if not booked or quote is None or quote.holder is None or facts.programme is None:
        return ""
    asked = facts.programme.texts.question
    known = quote.holder.known or facts.enrolled
    return asked.get(words.language) if asked and known and memory.answered != quote.session else ""


def _offer(
    words: Words, facts: Facts, memory: Memory, message: Message | None, *, booked: Quote | None
) -> Offer | None:
    _ = words.translate
    if facts.pairing is not None:
        return Offer("Escape", "Esc", _("Refuse"))
    if memory.notice is not None and memory.notice.code != "thanks":
        return None  # beside another message than the booking's own, "undo" would seem to undo that one
    if message is not None and message == _unprinted(words, facts):
        return Offer("Ctrl+P", "Ctrl P", _("Print the receipt"))
    if booked is not None and _can_undo(memory, booked.session, facts.now_ms):
        return Offer("Ctrl+Z", "Ctrl Z", _("Undo"))
    if facts.may_join and not booked:
        return Offer("F9", "F9", _("Become a member"))
    return None


def _allowed(words: Words, facts: Facts) -> str:
    """What still goes on without a line, for the idle screen."""
    if facts.online or facts.programme is None:
        return ""
    return words.offline_policy(OfflinePolicy() if facts.short_of_room else facts.programme.offline)


def _more(words: Words, facts: Facts, rewards: int, fit: int) -> str:
    """Under the rewards: on whose word they are given when not on head office's, and those that do not fit."""
    _ = words.translate
    parts = []
    if rewards and facts.verdict is not None and facts.holder is not None and facts.holder.known:
        parts.append(words.alone(facts.verdict) if facts.practice is None else "")
    if rewards > fit:
        parts.append(_("{count} more rewards at the till").format(count=rewards - fit))
    return " · ".join(part for part in parts if part)


def _announce(words: Words, facts: Facts, holder: Holder | None, message: Message | None) -> str:
    """What a screen reader says: the message, else who is there and with how many points."""
    if message is not None:
        return message.text
    if holder is None:
        return ""
    _ = words.translate
    name = holder.first_name if facts.show_first_name and holder.first_name else _("Card recognised")
    return _("{name}: {points} points").format(name=name, points=words.points(holder.balance))


def _can_undo(memory: Memory, session: str, now_ms: int) -> bool:
    return memory.last is not None and memory.last.session == session and memory.undo_left_ms(now_ms) > 0


def _badge(words: Words, facts: Facts) -> str:
    _ = words.translate
    if facts.practice is not None:
        return _("Training: nothing counts")
    if facts.online:
        return _("Online")
    text = _("Offline since {time}").format(time=words.moment(facts.since_ms, facts.now_ms))
    if facts.queued:
        text += " · " + _("{count} queued").format(count=words.points(facts.queued))
    return text


def _last(words: Words, memory: Memory) -> str:
    _ = words.translate
    if memory.last is None:
        return ""
    text = _("Last: undone {points} · {time}") if memory.last.voided else _("Last: booked {points} · {time}")
    return text.format(points=words.signed(memory.last.points), time=words.time(memory.last.at_ms))


def _expiring(words: Words, facts: Facts, holder: Holder) -> str:
    """The points that lapse soon, where some do."""
    _ = words.translate
    if holder.expiring is None or not holder.expiring.soon(words.today(facts.now_ms)):
        return ""
    text = _("{points} lapse after {day}")
    return text.format(points=words.points(holder.expiring.points), day=words.day(holder.expiring.on, facts.now_ms))


def _as_of(words: Words, facts: Facts) -> str:
    _ = words.translate
    holder = facts.holder
    if holder is None:
        return ""
    here = _("{points} here").format(points=words.signed(holder.queued)) if holder.queued else ""
    if not holder.known:
        return here
    if waiting := holder.balance - holder.spendable:
        later = _("of which {points} later").format(points=words.points(waiting))
        here = f"{here} · {later}" if here else later
    if facts.as_of_ms is None:
        confirmed = _("not confirmed yet")
    else:
        confirmed = _("confirmed {time}").format(time=words.moment(facts.as_of_ms, facts.now_ms))
    return f"{confirmed} · {here}" if here else confirmed


def _lines(words: Words, quote: Quote) -> tuple[LineRow, ...]:
    _ = words.translate
    currency = quote.basket.currency

    def item(line: Line) -> LineRow:
        text = f"{words.quantity(line.quantity)} × {line.text or line.sku}"
        return LineRow(text, words.money(line.gross_minor, currency))

    rows = [item(line) for line in quote.basket.lines]
    for redemption in quote.settlement.redemptions:
        name = quote.programme.name_of(redemption.reward, words.language)
        off = redemption.discount_minor + redemption.cash_minor
        rows.append(LineRow(name, words.money(-off, currency), "reward"))
    if len(rows) > MAX_LINES:
        hidden = len(rows) - MAX_LINES + 1
        rows = [LineRow(_("{count} earlier lines").format(count=hidden), "", "more"), *rows[hidden:]]
    return tuple(rows)


def _earns_detail(words: Words, quote: Quote) -> str:
    """How the points are made up, where more than one rule gave some: "23 + 11 zilver"."""
    _ = words.translate
    if quote.holder is None:
        return _("with a card")
    components = quote.settlement.accrual.components
    if len(components) < 2:
        return ""
    programme, language = quote.programme, words.language
    return " + ".join(
        words.points(part.points) + (f" {programme.name_of(part.rule, language)}" if part.kind == "bonus" else "")
        for part in components
    )


def _action(words: Words, facts: Facts, quote: Quote | None, booked: bool) -> Action:
    _ = words.translate
    if quote is None and facts.manual_sales:
        return Action(_("Type the amount"), "ready" if facts.programme else "off")
    if booked and quote is not None:
        return Action(_("Booked {points}").format(points=words.signed(quote.settlement.points_delta)), "done")
    ready = quote is not None and quote.holder is not None
    return Action(_("Finish"), "ready" if ready else "off")


def _message(words: Words, facts: Facts, memory: Memory, quote: Quote | None, booked: bool) -> Message | None:
    """The one thing to say now: what just happened goes before what is the case."""
    _ = words.translate
    if facts.pairing is not None:
        return _pairing(words, facts.pairing)
    if memory.notice is not None:
        return _notice(words, facts, memory.notice, quote)
    if booked and quote is not None:
        if facts.unprinted is not None and facts.unprinted.session == quote.session:
            return _unprinted(words, facts)
        text = _("Booked {points}").format(points=words.signed(quote.settlement.points_delta))
        return Message("ok", text if facts.online else text + " · " + _("will be sent later"))
    return _standing(words, facts, quote)


def _pairing(words: Words, asked: Asked) -> Message:
    """The code that a program's owner types there, and what the program may do then."""
    _ = words.translate
    may = {Scope.READ: _("look"), Scope.SELL: _("sell"), Scope.MANAGE: _("manage")}
    return Message(
        "info",
        _("{code} is the code for {name}, which may then: {may}").format(
            name=f"{asked.name} ({_shortened(asked.origin)})" if asked.origin else asked.name,
            may=", ".join(text for scope, text in may.items() if scope in asked.scopes),
            code=f"{asked.code[:3]} {asked.code[3:]}",
        ),
    )


def _shortened(origin: str) -> str:
    """A page's origin as it fits: its end says whose it is."""
    return origin if len(origin) <= _ORIGIN_SHOWN else "…" + origin[1 - _ORIGIN_SHOWN :]


def _standing(words: Words, facts: Facts, quote: Quote | None) -> Message | None:
    """What is the case, as long as nothing happened that goes before it."""
    _ = words.translate
    if quote is not None and quote.dropped_rewards and facts.programme is not None:
        reward = facts.programme.reward(quote.dropped_rewards[-1])
        name = reward.name.get(words.language) if reward else quote.dropped_rewards[-1]
        return Message("warn", _("{reward} was taken off: the receipt became too small").format(reward=name))
    if facts.holder is not None and facts.enrolled and (quote or not facts.quote):
        return Message("ok", _("Member from now on: head office hears of it by itself"))
    if facts.holder is not None and not facts.holder.known and (quote or not facts.quote):
        return Message("info", _("Card not known yet: points are saved and added later"))
    return _of_till(words, facts)


def _of_till(words: Words, facts: Facts) -> Message | None:
    """What is wrong with the till itself."""
    _ = words.translate
    if facts.programme is None:
        return _say(words, "no_programme")
    if facts.clock_wrong:
        return Message("warn", _("This till's clock is wrong: please set the date and time"))
    if facts.unprinted is None and facts.trouble is not None:
        return Message(facts.trouble.gravity.value, facts.trouble.text(words.language))
    return _unprinted(words, facts)


def _unprinted(words: Words, facts: Facts) -> Message | None:
    """The receipt that is not on paper, as long as nobody printed or waved it away."""
    if facts.unprinted is None:
        return None
    return Message("warn", words.translate(UNPRINTED.get(facts.unprinted.code, OTHER_UNPRINTED)))


def _notice(words: Words, facts: Facts, notice: Notice, quote: Quote | None) -> Message:
    option = next((option for option in facts.rewards if option.reward.id == notice.reward), None)
    if option is not None and facts.programme is not None and facts.holder is not None:
        why = why_not(words, facts, option, notice.code)
        return Message("warn", f"{option.reward.name.get(words.language)}: {why}")
    return _say(words, notice.code)


def _say(words: Words, code: str) -> Message:
    mood, text = NOTICES.get(code, OTHER_NOTICE)
    return Message(mood, words.translate(text))
