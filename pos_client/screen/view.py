"""From facts to a view: every string of the cashier's screen, ready to show. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loyalty.basket import Line
from loyalty.redemption import RewardOption
from pos_client.screen.facts import Facts
from pos_client.screen.memory import Memory, Notice
from pos_client.screen.words import NOTICES, OTHER_NOTICE, Mood, Words
from pos_client.session import Quote, SessionState
from sync.mirror import Holder

MAX_REWARDS = 8
"""Rewards on the screen: the keys F2 to F9. The till's own software can give the rest."""
MAX_LINES = 8
"""Basket lines that fit beside the totals at 1024×600; the newest are shown."""

Phase = Literal["idle", "card", "booked"]


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence with its mood; the mood picks icon and colour."""

    mood: Mood
    text: str


@dataclass(frozen=True, slots=True)
class RewardRow:
    """One reward: its key, and why it cannot be had (`note`) when its state is "off"."""

    reward: str
    key: str
    name: str
    cost: str
    note: str
    state: Literal["ready", "chosen", "off"]


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line of the receipt; "reward" lines are taken off, "more" stands for lines that do not fit."""

    text: str
    amount: str
    kind: Literal["item", "reward", "more"] = "item"


@dataclass(frozen=True, slots=True)
class Action:
    """The primary action, always in the same place."""

    text: str
    state: Literal["ready", "off", "done"]


@dataclass(frozen=True, slots=True)
class View:
    """The whole screen in words. Empty strings are not shown."""

    language: str
    phase: Phase
    online: bool
    badge: str
    place: str
    devices: str
    clock: str
    shop: str
    hint: str
    last: str
    name: str
    tier: str
    balance: str
    unit: str
    as_of: str
    rewards: tuple[RewardRow, ...]
    more_rewards: str
    total: str
    lines: tuple[LineRow, ...]
    earns: str
    earns_detail: str
    spends: str
    to_pay: str
    action: Action
    undo: bool
    message: Message | None
    announce: str


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
    rewards = _rewards(words, facts, quote, spent) if holder and programme and not booked else ()
    return View(
        language=language,
        phase="booked" if booked else "card" if holder else "idle",
        online=facts.online,
        badge=_badge(words, facts),
        place=f"{facts.store_name} · {facts.till_name}",
        devices=_("Not connected: {devices}").format(devices=", ".join(facts.devices_away))
        if facts.devices_away
        else "",
        clock=words.time(facts.now_ms),
        shop=facts.store_name,
        hint=_("Scan or swipe the card"),
        last=_last(words, memory),
        name=(holder.first_name or "" if facts.show_first_name else "") if holder and holder.known else _("New card"),
        tier=programme.tier(holder.tier or "").name.get(language) if holder and holder.known and programme else "",
        balance=words.points(holder.balance) if holder else "",
        unit=_("point") if holder and holder.balance == 1 else _("points"),
        as_of=_as_of(words, facts),
        rewards=rewards[:MAX_REWARDS],
        more_rewards=_more_rewards(words, facts, len(rewards)),
        total=words.money(quote.basket.gross_minor, quote.basket.currency) if quote else "",
        lines=_lines(words, quote) if quote else (),
        earns=words.signed(quote.settlement.points_earned) if quote else "",
        earns_detail=_earns_detail(words, quote) if quote else "",
        spends=words.signed(-spent) if spent else "",
        to_pay=words.money(quote.settlement.payable_minor, quote.basket.currency) if quote else "",
        action=_action(words, quote, booked),
        # Beside another message than the booking's own, "undo" would seem to undo that one.
        undo=booked and quote is not None and not memory.notice and _can_undo(memory, quote.session, facts.now_ms),
        message=message,
        announce=_announce(words, facts, holder, message),
    )


def _more_rewards(words: Words, facts: Facts, rewards: int) -> str:
    """Under the rewards: on whose word they are given when not on head office's, and those that do not fit."""
    _ = words.translate
    parts = []
    if rewards and facts.verdict is not None and facts.holder is not None and facts.holder.known:
        parts.append(words.alone(facts.verdict))
    if rewards > MAX_REWARDS:
        parts.append(_("{count} more rewards at the till").format(count=rewards - MAX_REWARDS))
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


def _rewards(words: Words, facts: Facts, quote: Quote | None, spent: int) -> tuple[RewardRow, ...]:
    assert facts.programme is not None
    assert facts.holder is not None
    chosen = [redemption.reward for redemption in quote.settlement.redemptions] if quote else []
    return tuple(
        _reward(words, facts, option, key=f"F{number}", taken=chosen.count(option.reward.id), spent=spent)
        for number, option in enumerate(facts.rewards, start=2)
    )


def _reward(words: Words, facts: Facts, option: RewardOption, *, key: str, taken: int, spent: int) -> RewardRow:
    _ = words.translate
    reward = option.reward
    state: Literal["ready", "chosen", "off"] = "ready" if option.available else "chosen" if taken else "off"
    note = ""
    if taken:
        note = _("Chosen") if taken == 1 else _("Chosen {count} times").format(count=taken)
        if state == "chosen":
            note += " · " + _("press again to undo")
    elif option.code is not None:
        note = _why_not(words, facts, option, option.code)
    cost = words.points(option.cost_points) if option.cost_points else ""
    if option.cost_stamps:
        cost = _("{count} stamps").format(count=words.points(option.cost_stamps))
    return RewardRow(reward.id, key, reward.name.get(words.language), cost, note, state)


def _why_not(words: Words, facts: Facts, option: RewardOption, code: str) -> str:
    assert facts.programme is not None
    assert facts.holder is not None
    # A card that is not known here has no points either, but more of them would not help.
    told = code if facts.holder.known else "card_unknown"
    return words.why_not(told, option, facts.programme)


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


def _action(words: Words, quote: Quote | None, booked: bool) -> Action:
    _ = words.translate
    if booked and quote is not None:
        return Action(_("Booked {points}").format(points=words.signed(quote.settlement.points_delta)), "done")
    ready = quote is not None and quote.holder is not None
    return Action(_("Finish"), "ready" if ready else "off")


def _message(words: Words, facts: Facts, memory: Memory, quote: Quote | None, booked: bool) -> Message | None:
    """The one thing to say now: what just happened goes before what is the case."""
    _ = words.translate
    if memory.notice is not None:
        return _notice(words, facts, memory.notice, quote)
    if booked and quote is not None:
        text = _("Booked {points}").format(points=words.signed(quote.settlement.points_delta))
        return Message("ok", text if facts.online else text + " · " + _("will be sent later"))
    return _standing(words, facts, quote)


def _standing(words: Words, facts: Facts, quote: Quote | None) -> Message | None:
    """What is the case, as long as nothing happened that goes before it."""
    _ = words.translate
    if quote is not None and quote.dropped_rewards and facts.programme is not None:
        reward = facts.programme.reward(quote.dropped_rewards[-1])
        name = reward.name.get(words.language) if reward else quote.dropped_rewards[-1]
        return Message("warn", _("{reward} was taken off: the receipt became too small").format(reward=name))
    if facts.holder is not None and not facts.holder.known and (quote or not facts.quote):
        return Message("info", _("Card not known yet: points are saved and added later"))
    if facts.programme is None:
        return _say(words, "no_programme")
    if facts.clock_wrong:
        return Message("warn", _("This till's clock is wrong: please set the date and time"))
    return None


def _notice(words: Words, facts: Facts, notice: Notice, quote: Quote | None) -> Message:
    option = next((option for option in facts.rewards if option.reward.id == notice.reward), None)
    if option is not None and facts.programme is not None and facts.holder is not None:
        why = _why_not(words, facts, option, notice.code)
        return Message("warn", f"{option.reward.name.get(words.language)}: {why}")
    return _say(words, notice.code)


def _say(words: Words, code: str) -> Message:
    mood, text = NOTICES.get(code, OTHER_NOTICE)
    return Message(mood, words.translate(text))
