"""The whole mirror as a stream of parts: each read in a short transaction of its own, so that nobody waits for it."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sync.hq.changes import newest_cursor, read_feed, watermark
from sync.hq.database import Connection, Database
from sync.hq.errors import Refused
from sync.hq.leases import leases_after, named_leases
from sync.hq.parked import shown
from sync.hq.states import accounts_after, all_stocks, cards_after, programmes_after
from sync.wire_mirror import (
    MAX_PART_ROWS,
    AccountChange,
    CardChange,
    LeaseChange,
    ParkedChange,
    ProgrammeChange,
    Section,
    SnapshotPart,
    StockChange,
)

MAX_AT_ONCE = 4
"""Snapshots handed out at once by one process: they share two cores with the booking of entries."""

COME_BACK_S = range(15, 60)
"""When those that found no place may come back: drawn, or a whole chain would come back together."""

MAX_PART_PROGRAMMES = 20
"""Programmes in one part: documents may be large."""

_ORDER = tuple(Section)

Row = AccountChange | CardChange | ProgrammeChange | StockChange | ParkedChange | LeaseChange
"""What a part may carry."""


class Places:
    """The places there are for handing out snapshots."""

    def __init__(self, most: int = MAX_AT_ONCE) -> None:
        self._free = threading.Semaphore(most)

    def take(self) -> None:
        """Take one; give it back with `give_back`.

        Raises:
            Refused: 503 `busy` when there is none.
        """
        if not self._free.acquire(blocking=False):
            wait_s = secrets.choice(COME_BACK_S)
            raise Refused(503, "busy", "other tills are taking snapshots: come back later", retry_after_s=wait_s)

    def give_back(self) -> None:
        """Somebody else's turn."""
        self._free.release()


@dataclass(frozen=True, slots=True)
class Start:
    """Where a snapshot goes on: the part of `section` above the key `after`. `cursor`: the feed's when it began."""

    cursor: str
    section: Section = Section.PROGRAMMES
    after: str = ""


def begin(conn: Connection, cursor: str, section: str, after: str) -> Start:
    """Where a snapshot begins or goes on.

    Args:
        cursor: "" to begin; to go on, what the parts of before carried.

    Raises:
        Refused: `malformed` for a section there is none of, or a key that cannot be; `cursor`, `feed_epoch` or
            `feed_dropped` when the changes since the first part cannot be followed any more: begin anew.
    """
    if not cursor:
        return Start(newest_cursor(conn))
    if section not in _ORDER:
        raise Refused(400, "malformed", f"section: expected {', '.join(_ORDER)}")
    if section == Section.PROGRAMMES and after and not (after.isascii() and after.isdecimal() and len(after) < 10):
        raise Refused(400, "malformed", "after: expected a programme version")
    if section == Section.LEASES and after and not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", after):
        raise Refused(400, "malformed", "after: expected the id of a lease")
    if "\0" in after:
        raise Refused(400, "malformed", "after: expected no NUL characters")
    read_feed(conn).place(cursor)
    return Start(cursor, Section(section), after)


def parts(database: Database, terminal: str, start: Start, now: datetime | None = None) -> Iterator[SnapshotPart]:
    """Each part from `start` to the end, for `terminal`; no connection is held between two.

    Balances are at least as new as the cursor, each part's of one moment, which is also that of its `includes_seq`.

    Args:
        now: head office's time, UTC; the present when None.
    """
    with database.connection() as conn:
        total = _total(conn)
    while True:
        with database.connection() as conn:
            part = _part(conn, terminal, start, total, now or datetime.now(UTC))
        yield part
        if part.is_last:
            return
        if part.upto is None:
            start = Start(start.cursor, _ORDER[_ORDER.index(start.section) + 1])
        else:
            start = replace(start, after=part.upto)


def _part(conn: Connection, terminal: str, start: Start, total: int, now: datetime) -> SnapshotPart:
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        epoch, durable_to = watermark(conn, terminal)
        rows, upto = _read(conn, terminal, start.section, start.after)
    return SnapshotPart(
        cursor=start.cursor,
        section=start.section,
        after=start.after,
        upto=upto,
        rows=tuple(rows),
        total=total,
        epoch=epoch,
        includes_seq=durable_to,
        as_of_ms=int(now.timestamp() * 1000),
    )


def _read(conn: Connection, terminal: str, section: Section, after: str) -> tuple[Sequence[Row], str | None]:
    """The next rows of a section, and the last one's key; None when the section ends with them."""
    if section is Section.PROGRAMMES:
        programmes = programmes_after(conn, int(after or 0), MAX_PART_PROGRAMMES)
        full = len(programmes) == MAX_PART_PROGRAMMES
        return programmes, str(programmes[-1].document["version"]) if full else None
    if section is Section.STOCKS:
        return all_stocks(conn), None
    if section is Section.PARKED:
        return shown(conn, terminal), None
    if section is Section.LEASES:
        leases = list(named_leases(conn, leases_after(conn, terminal, after, MAX_PART_ROWS)))
        return leases, leases[-1].id if len(leases) == MAX_PART_ROWS else None
    if section is Section.ACCOUNTS:
        accounts = accounts_after(conn, after, MAX_PART_ROWS)
        return accounts, accounts[-1].account if len(accounts) == MAX_PART_ROWS else None
    cards = cards_after(conn, after, MAX_PART_ROWS)
    return cards, cards[-1].token if len(cards) == MAX_PART_ROWS else None


def _total(conn: Connection) -> int:
    row = conn.execute("SELECT (SELECT count(*) FROM account) + (SELECT count(*) FROM card)").fetchone()
    assert row is not None
    return int(row[0])
