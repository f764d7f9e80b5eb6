"""What a till states of member and moment, held against what head office told it and what its own stream proves. Pure.

A till computes with facts that head office cannot see again: what it had heard, when it sold. They count as stated as
long as an honest till can have believed them. A till that knew less than head office must not find its customer's sale
parked; one that claims what it cannot have been told, or forgets what it booked itself, must.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from loyalty.counting import REACHED
from loyalty.facts import birthday_windows, counted
from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from loyalty.programme_members import Credential
from loyalty.redemption import TAKEN
from sync.hq.plain import PlainSale

Stated = Entry | PlainSale
"""An entry, in one form or the other."""


@dataclass(slots=True)
class Record:
    """What is known of one account, as far as the claims of one batch go; grows with the entries of the batch."""

    told: set[str] = field(default_factory=set)
    """What tills were ever told of the member: 'tier:gold', 'birthday:11-24', 'segment:families', 'pin'."""
    brought: bool = False
    """The account came with an opening balance: no sale was ever its first."""
    sold: bool = False
    """The terminal sold to the account before, in this epoch."""
    earned: Counter[tuple[str, date]] = field(default_factory=Counter)
    """By card and business date: what the terminal's own sales earned before, voids taken off."""
    counted: Counter[str] = field(default_factory=Counter)
    """By counter: what the terminal's own entries counted before."""
    added: Counter[str] = field(default_factory=Counter)
    """By counter: everything that anybody ever counted for the account, whatever was spent or parked since."""
    unproven: bool = False
    """Some of the terminal's entries are parked: what it counted on its own is then not known here."""

    def follow(self, entry: Stated, *, booked: bool) -> None:
        """Let the claims of the entries that follow know of this one of the same terminal."""
        sign = -1 if entry.kind == EntryKind.VOID else 1
        for progress in entry.settlement.counters:
            if sign > 0:
                self.added[progress.counter] += max(0, progress.count)
            if booked:
                self.counted[progress.counter] += sign * progress.count
        if not booked:
            self.unproven = True
            return
        self.sold = self.sold or entry.kind == EntryKind.SALE
        if entry.kind in {EntryKind.SALE, EntryKind.VOID}:
            self.earned[entry.card, entry.business_date] += sign * entry.settlement.points_earned


class Claim(Enum):
    """What a sale states, by what it is held against."""

    TOLD = "told"  # what tills were told of the member
    BOOKED = "booked"  # what the terminal booked before
    COUNTED = "counted"  # what was counted of the account


def claims(entry: Stated, programme: Programme) -> set[Claim]:
    """What has to be known of the account to judge a sale's facts. Of most sales nothing: it costs look-ups."""
    facts = entry.facts
    found: set[Claim] = set()
    if entry.tier != programme.tiers[0].id:
        found.add(Claim.TOLD)
    if programme.caps.per_card_day_points is not None:
        found.add(Claim.BOOKED)
    if facts is not None:
        if facts.birthday or facts.segments or facts.credential is Credential.PIN:
            found.add(Claim.TOLD)
        if facts.first_purchase:
            found.add(Claim.BOOKED)
    if _pays(entry):
        found.add(Claim.COUNTED)
    return found


def _pays(entry: Stated) -> bool:
    """Whether counters let a sale have something: stamps spent, a goal reached, one more of a limited reward."""
    if any(_limits(progress.counter) for progress in entry.settlement.counters):
        return True
    return isinstance(entry, Entry) and any(redemption.stamps for redemption in entry.settlement.redemptions)


def impossible(entry: Stated, programme: Programme, record: Record) -> str | None:
    """What of a sale's facts no honest till can have stated, in words; None when there is nothing of the kind."""
    return next(
        (
            said
            for check in (_member, _moment, _own_stream, _counters, _means)
            for said in check(entry, programme, record)
        ),
        None,
    )


def _member(entry: Stated, programme: Programme, record: Record) -> Iterator[str]:
    facts = entry.known_facts
    if entry.tier != programme.tiers[0].id and f"tier:{entry.tier}" not in record.told:
        yield f"the member never had tier '{entry.tier[:40]}'"
    for segment in facts.segments:
        if f"segment:{segment}" not in record.told:
            yield f"the member was never in segment '{segment[:40]}'"


def _moment(entry: Stated, programme: Programme, record: Record) -> Iterator[str]:
    facts = entry.known_facts
    if not facts.birthday:
        return
    day = programme.compiled.asker("", facts).moment.day
    known = [fact.removeprefix("birthday:") for fact in record.told if fact.startswith("birthday:")]
    windows = {window for text in known for window in birthday_windows(int(text[:2]), int(text[3:]), day)}
    if not windows.issuperset(facts.birthday):
        yield f"{day} is not that near any birthday the member had here"


def _own_stream(entry: Stated, programme: Programme, record: Record) -> Iterator[str]:
    facts = entry.known_facts
    if facts.first_purchase and (record.sold or record.brought):
        yield "not the member's first purchase: this till sold to them before, or they came with points"
    if programme.caps.per_card_day_points is not None and not record.unproven:
        earned = record.earned[entry.card, entry.business_date]
        if facts.earned_today < earned:
            yield f"the card earned {earned} points at this till that day before, not {facts.earned_today}"


def _counters(entry: Stated, programme: Programme, record: Record) -> Iterator[str]:
    if not _pays(entry):
        return
    facts = entry.known_facts
    for known in facts.counters:
        if not _limits(known.counter) and known.count > record.added[known.counter]:
            yield f"'{known.counter[:60]}' never came to {known.count}: {record.added[known.counter]} were ever counted"
    for progress in entry.settlement.counters:
        own = record.counted[progress.counter]
        if _limits(progress.counter) and not record.unproven and counted(facts, progress.counter) < own:
            yield f"this till gave '{progress.counter[:60]}' {own} times itself, not {counted(facts, progress.counter)}"


def _means(entry: Stated, programme: Programme, record: Record) -> Iterator[str]:
    facts, spent = entry.known_facts, entry.settlement.points_spent
    if facts.credential is Credential.PIN and "pin" not in record.told:
        yield "the member never had a PIN"
    if spent > 0 and not programme.credential.allows(facts.credential, spent):
        yield f"spending {spent} points takes more than was shown"
    for known in facts.stock:
        most = programme.compiled.stocks.get(known.counter)
        if most is not None and known.count > most:
            yield f"there never were {known.count} of '{known.counter[:60]}' but {most}"


def _limits(counter: str) -> bool:
    """Whether a counter holds a member back, so that a lower one is what pays: rewards had, goals reached."""
    return counter.endswith((TAKEN, REACHED))
