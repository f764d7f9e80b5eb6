"""A till's store and journal in a folder, and short ways to fill them."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import uuid6
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.ledger import Clock, EntryKind
from loyalty.settlement import settle
from sync.journal import Draft, Journal
from sync.mirror import Mirror
from sync.snapshot import Snapshots
from sync.store import Store
from sync.terminal import load_terminal, save_terminal
from sync.wire import EnrolAnswer
from sync.wire_mirror import (
    AccountChange,
    CardChange,
    Change,
    ChangesPage,
    ProgrammeChange,
    Section,
    SnapshotPart,
    State,
)
from tests.support.entries import basket, programme

KEY = bytes(range(100, 132))
CARD = "0123456789abcdef0123456789abcdef"
OTHER_CARD = "fedcba9876543210fedcba9876543210"
DAY = date(2026, 3, 31)

_numbers = itertools.count(1)


def key_text(raw: bytes) -> str:
    """Key bytes as the protocol writes them."""
    return base64.b64encode(raw).decode()


def enrolled(path: Path, epoch: int = 1) -> tuple[Store, Journal]:
    """Open (or make) the store at `path`, enrolled as terminal t-1."""
    store = Store.open(path, KEY)
    if store.row("SELECT 1 FROM terminal") is None:
        public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        answer = EnrolAnswer(
            terminal="t-1",
            epoch=epoch,
            store="molen",
            store_name="De Molen",
            hq_public_key=key_text(public),
            card_key=key_text(bytes(32)),
            server_time_ms=0,
        )
        save_terminal(store, answer, Ed25519PrivateKey.generate())
    return store, journal_of(store)


def journal_of(store: Store) -> Journal:
    """The journal in an enrolled store."""
    return Journal(store, load_terminal(store))


def draft(*amounts: int, rewards: tuple[str, ...] = (), **changes: Any) -> Draft:
    """A sale of these minor units (€ 10.00 when none are given) to `CARD`; `changes` as in `Draft`."""
    rules = programme()
    goods = basket(*(amounts or (1000,)))
    number = next(_numbers)
    fields: dict[str, Any] = {
        "id": str(uuid6.uuid7()),
        "kind": EntryKind.SALE,
        "session": f"s-{number}",
        "clock": Clock(wall_ms=1_774_944_000_000 + number, monotonic_ms=number, boot_id="b", offset_ms=0),
        "business_date": DAY,
        "card": CARD,
        "account": "m1",
        "programme": rules.id,
        "programme_version": rules.version,
        "tier": "basic",
        "basket": goods,
        "settlement": settle(rules, goods, "basic", rewards),
    }
    return Draft(**{**fields, **changes})


def void_of(sale: Any, **changes: Any) -> Draft:
    """The void of a booked sale."""
    kept = {name: getattr(sale, name) for name in ("session", "card", "account", "tier", "basket", "settlement")}
    return draft(**{**kept, "kind": EntryKind.VOID, "reverses": sale.id, **changes})


def account(points: int, name: str = "m1", first_name: str | None = "Sanne", tier: str = "basic") -> AccountChange:
    """An account of these points."""
    return AccountChange(account=name, first_name=first_name, tier=tier, points=points)


def card(token: str = CARD, owner: str = "m1", blocked: bool = False) -> CardChange:
    """A card of `owner`."""
    return CardChange(token=token, account=owner, blocked=blocked)


def published(version: int = 1) -> ProgrammeChange:
    """The tests' programme, published as `version`."""
    return ProgrammeChange(document=programme(version).model_dump(mode="json"))


def page(*changes: Change, seq: int = 0, epoch: int = 1, **more: Any) -> ChangesPage:
    """A last page of the feed; balances include our entries up to `seq`."""
    fields: dict[str, Any] = {"cursor": f"c{seq}", "more": False, "as_of_ms": 1000, **more}
    return ChangesPage(changes=changes, epoch=epoch, includes_seq=seq, **fields)


def hear(store: Store, *changes: Change, seq: int = 0, epoch: int = 1) -> Mirror:
    """Apply a page and return the mirror."""
    mirror = Mirror(store)
    mirror.apply(page(*changes, seq=seq, epoch=epoch), 1000)
    return mirror


def take(store: Store, *sections: Section, rows: Mapping[Section, Sequence[State]] | None = None) -> Snapshots:
    """Take these sections of a snapshot, each whole, with `rows` in them."""
    taking = Snapshots(store)
    for section in sections:
        part = SnapshotPart(
            cursor="s",
            section=section,
            after="",
            upto=None,
            rows=tuple((rows or {}).get(section, ())),
            total=0,
            epoch=1,
            includes_seq=0,
            as_of_ms=1000,
        )
        taking.apply(part, 1000)
    return taking
