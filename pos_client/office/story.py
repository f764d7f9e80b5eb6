"""An account's story as this till can tell it: its own entries from the newest down, each with its explanation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from loyalty.explain import say
from loyalty.ledger import Entry, EntryKind
from loyalty.programme import Programme
from pos_client.office.lookup import Person
from sync.store import Store

MAX_LINES = 200
"""Entries of one story: years of a regular customer at one till."""


class Standing(StrEnum):
    """Where an entry stands with head office."""

    CONFIRMED = "confirmed"
    QUEUED = "queued"  # on its way
    PARKED = "parked"  # received there and not booked: see the inbox


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. `said` is how its points came about, in the language asked for; "" when its programme is not here."""

    entry: Entry
    standing: Standing
    said: str


class Versions:
    """The programme versions that this till has, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[int, Programme | None] = {}

    def of(self, entry: Entry) -> Programme | None:
        """The version that an entry was made with, or None when it is not here."""
        version = entry.programme_version
        if version not in self._read:
            row = self._store.row("SELECT document FROM programme WHERE version = ?", (version,))
            self._read[version] = Programme.from_document(json.loads(row[0])) if row else None
        return self._read[version]


class Stories:
    """Tells stories from the journal. Entries of other tills are in the balance, not in the story."""

    def __init__(self, store: Store, language: str) -> None:
        self._store = store
        self._language = language
        self._versions = Versions(store)

    def of(self, person: Person, most: int = MAX_LINES) -> list[Line]:
        """The entries of a member and of their cards, newest first."""
        holder = person.holder
        cards = [token for token, _ in person.cards]
        marks = ", ".join("?" * len(cards))
        rows = self._store.rows(
            f"{_LINES} WHERE j.kind NOT IN ('resolution', 'answer') AND (j.account = ? OR j.card IN ({marks})) "
            "ORDER BY j.epoch DESC, j.seq DESC LIMIT ?",
            (holder.account, *cards, most),
        )
        return [self._line(*row) for row in rows]

    def entry(self, entry: Entry) -> Line:
        """One entry of the journal."""
        row = self._store.rows(f"{_LINES} WHERE j.id = ?", (entry.id,))[0]
        return self._line(*row)

    def _line(self, raw: bytes, parked: int, acked: int) -> Line:
        entry = Entry.decode(raw)
        standing = Standing.PARKED if parked else Standing.CONFIRMED if acked else Standing.QUEUED
        return Line(entry, standing, self._say(entry))

    def _say(self, entry: Entry) -> str:
        programme = self._versions.of(entry)
        if programme is None or entry.kind is EntryKind.ADJUSTMENT:
            return ""
        return say(programme, entry.settlement, self._language)


_LINES = """SELECT j.raw,
    EXISTS (SELECT 1 FROM parked p WHERE p.digest = j.digest AND p.state IN ('open', 'referred', 'reversed')),
    j.seq <= COALESCE((SELECT c.acked_seq FROM closed_epoch c WHERE c.epoch = j.epoch), (SELECT acked_seq FROM head))
    FROM journal j"""


def is_confirmed(store: Store, entry: Entry) -> bool:
    """Whether head office has an entry of this till."""
    row = store.row(
        "SELECT acked_seq FROM head WHERE epoch = ? UNION ALL SELECT acked_seq FROM closed_epoch WHERE epoch = ?",
        (entry.epoch, entry.epoch),
    )
    return row is not None and entry.seq <= row[0]
