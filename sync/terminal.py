"""Who this till is: its keys, its name at head office, and its clock."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.ledger import GENESIS, Clock
from sync.errors import NotEnrolled, StoreUnusable
from sync.store import Store
from sync.wire import EnrolAnswer, key_bytes

EARLIEST_MS = 1_704_067_200_000
"""1 January 2024 UTC: no till ran this software before, so an earlier clock is a flat battery."""


MAX_SKEW_MS = 120_000
"""Two minutes off head office is no drift between two time servers: the manager is told."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """An enrolled till. Keys never appear in its repr."""

    terminal: str
    epoch: int
    store: str
    store_name: str
    private_key: Ed25519PrivateKey = field(repr=False)
    card_key: bytes = field(repr=False)


def load_terminal(store: Store) -> Terminal:
    """Read who this till is.

    Raises:
        NotEnrolled: nobody yet.
    """
    row = store.row(
        "SELECT terminal, epoch, store, store_name, private_key, card_key FROM terminal JOIN head USING (one)"
    )
    if row is None:
        raise NotEnrolled(store.path)
    return Terminal(row[0], row[1], row[2], row[3], Ed25519PrivateKey.from_private_bytes(row[4]), row[5])


def enrolment_key(store: Store) -> Ed25519PrivateKey:
    """The key pair this till enrols with: made once and kept before head office hears of it."""
    with store.transaction() as connection:
        row = connection.execute("SELECT private_key FROM enrolment").fetchone()
        if row is not None:
            return Ed25519PrivateKey.from_private_bytes(row[0])
        key = Ed25519PrivateKey.generate()
        connection.execute("INSERT INTO enrolment VALUES (1, ?)", (key.private_bytes_raw(),))
        return key


def save_terminal(store: Store, answer: EnrolAnswer, private_key: Ed25519PrivateKey) -> Terminal:
    """Keep what head office answered to an enrolment; the journal starts at sequence 1 of its epoch.

    Raises:
        StoreUnusable: this database already belongs to a terminal.
    """
    with store.transaction() as connection:
        if connection.execute("SELECT 1 FROM terminal").fetchone():
            raise StoreUnusable(f"{store.path} already belongs to an enrolled till: choose another data folder")
        connection.execute(
            "INSERT INTO terminal VALUES (1, ?, ?, ?, ?, ?, ?)",
            (
                answer.terminal,
                answer.store,
                answer.store_name,
                private_key.private_bytes_raw(),
                key_bytes(answer.hq_public_key),
                key_bytes(answer.card_key),
            ),
        )
        connection.execute("DELETE FROM enrolment")
        connection.execute("INSERT INTO head VALUES (1, ?, 0, ?, 0)", (answer.epoch, GENESIS))
    return load_terminal(store)


@functools.cache
def boot_id() -> str:
    """Names this start of the machine: what monotonic time counts from."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="ascii").strip() if path.exists() else "unknown"


def wall_ms() -> int:
    """The terminal's own clock: Unix milliseconds UTC, however wrong."""
    return time.time_ns() // 1_000_000


def read_clock(store: Store, now_ms: Callable[[], int] = wall_ms) -> Clock:
    """The terminal's clocks now, with the last known offset to head office."""
    row = store.row("SELECT clock_offset_ms FROM feed")
    return Clock(
        wall_ms=now_ms(),
        monotonic_ms=time.monotonic_ns() // 1_000_000,
        boot_id=boot_id(),
        offset_ms=row[0] if row else None,
    )


def clock_problem(now_ms: int) -> str | None:
    """One line when the clock cannot be right, else None."""
    if now_ms >= EARLIEST_MS:
        return None
    shown = time.strftime("%Y-%m-%d %H:%M", time.gmtime(now_ms / 1000))
    return (
        f"this machine's clock says {shown} UTC: set the date and time; sales are kept and sent, with this time noted"
    )


def skew_problem(offset_ms: int | None) -> str | None:
    """One line when this clock is more than `MAX_SKEW_MS` off head office's, else None."""
    if offset_ms is None or abs(offset_ms) <= MAX_SKEW_MS:
        return None
    way = "behind" if offset_ms > 0 else "ahead of"
    return (
        f"this machine's clock is {abs(offset_ms) // 1000} s {way} head office's: set it; sales are kept and sent, "
        "with both times noted"
    )
