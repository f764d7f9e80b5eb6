"""The whole mirror as a stream of parts: each read in a short transaction of its own, so that nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from random import randint

from sync.hq.changes import newest_cursor, read_feed, watermark
from sync.hq.database import Connection, Database
from sync.hq.errors import Refused
from sync.hq.states import accounts_after, cards_after, programmes_after
from sync.wire import MAX_PART_ROWS, AccountChange, CardChange, ProgrammeChange, Section, SnapshotPart

MAX_AT_ONCE = 4
"""Snapshots handed out at once by one process: they share two cores with the booking of entries."""

COME_BACK_S = (15, 60)
"""When those that found no place may come back: drawn, or a whole chain would come back together."""

MAX_PART_PROGRAMMES = 20
"""Programmes in one part: documents may be large."""

_ORDER = tuple(Section)


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
            wait_s = randint(*COME_BACK_S)
            raise Refused(503, "busy", "other tills are taking snapshots: come back later", retry_after_s=wait_s)

    def give_back(self) -> None:
        """Somebody else's turn."""
        self._free.release()


def begin(conn: Connection, cursor: str, section: str, after: str) -> tuple[str, Section]:
    """Where a snapshot begins or goes on, and the cursor to follow after it.

    Args:
        cursor: "" to begin; to go on, the cursor that the parts of before carried.

    Raises:
        Refused: `malformed` for a section there is none of, or a version that is no number; `cursor`, `feed_epoch` or
            `feed_dropped` when the changes since the first part cannot be followed any more: begin anew.
    """
    if not cursor:
        return newest_cursor(conn), Section.PROGRAMMES
    if section not in _ORDER:
        raise Refused(400, "malformed", f"section: expected {', '.join(_ORDER)}")
    if section == Section.PROGRAMMES and after and not (after.isascii() and after.isdecimal() and len(after) < 10):
        raise Refused(400, "malformed", "after: expected a programme version")
    if "\0" in after:
        raise Refused(400, "malformed", "after: expected no NUL characters")
    read_feed(conn).place(cursor)
    return cursor, Section(section)


def parts(database: Database, terminal: str, cursor: str, section: Section, after: str) -> Iterator[SnapshotPart]:
    """Each part from `section` above `after` to the end, for `terminal`; no connection is held between two.

    Balances are at least as new as `cursor`, each part's of one moment, which is also that of its `includes_seq`.
    """
    with database.connection() as conn:
        total = _total(conn)
    for current in _ORDER[_ORDER.index(section) :]:
        upto: str | None = after if current == section else ""
        while upto is not None:
            with database.connection() as conn:
                part = _part(conn, terminal, cursor, current, upto, total)
            yield part
            upto = part.upto


def _part(conn: Connection, terminal: str, cursor: str, section: Section, after: str, total: int) -> SnapshotPart:
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        epoch, durable_to = watermark(conn, terminal)
        as_of_ms = time.time_ns() // 1_000_000
        rows, upto = _read(conn, section, after)
    return SnapshotPart(
        cursor=cursor,
        section=section,
        after=after,
        upto=upto,
        rows=tuple(rows),
        total=total,
        epoch=epoch,
        includes_seq=durable_to,
        as_of_ms=as_of_ms,
    )


def _read(
    conn: Connection, section: Section, after: str
) -> tuple[Sequence[AccountChange | CardChange | ProgrammeChange], str | None]:
    """The next rows of a section, and the last one's key; None when the section ends with them."""
    if section is Section.PROGRAMMES:
        programmes = programmes_after(conn, int(after or 0), MAX_PART_PROGRAMMES)
        full = len(programmes) == MAX_PART_PROGRAMMES
        return programmes, str(programmes[-1].document["version"]) if full else None
    if section is Section.ACCOUNTS:
        accounts = accounts_after(conn, after, MAX_PART_ROWS)
        return accounts, accounts[-1].account if len(accounts) == MAX_PART_ROWS else None
    cards = cards_after(conn, after, MAX_PART_ROWS)
    return cards, cards[-1].token if len(cards) == MAX_PART_ROWS else None


def _total(conn: Connection) -> int:
    row = conn.execute("SELECT (SELECT count(*) FROM account) + (SELECT count(*) FROM card)").fetchone()
    assert row is not None
    return int(row[0])
