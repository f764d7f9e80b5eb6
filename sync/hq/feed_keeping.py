"""The feed kept short: superseded and old rows dropped each night."""

from __future__ import annotations

from array import array
from datetime import timedelta

from sync.hq.changes import SETTLED, Place
from sync.hq.database import Connection

KEEP = timedelta(days=14)
"""How long a till may be away and still follow the feed: a shop's holiday. Past that it takes a snapshot."""

CHUNK = 10_000
"""Rows dropped in one transaction: while one is open nobody hears of changes, so each lasts tens of milliseconds."""

MAX_FOUND = 4_000_000
"""Superseded rows gathered at once, 16 bytes each; what is left comes next."""


def compact(conn: Connection, keep: timedelta = KEEP) -> int:
    """Keep the newest row of each subject, and none older than `keep`; how many rows went.

    Args:
        conn: a pooled connection, outside any transaction. Tills read and head office books meanwhile.
    """
    return _drop_superseded(conn) + _drop_old(conn, keep)


def _drop_superseded(conn: Connection) -> int:
    """Drop rows that a later one of the same subject replaces."""
    dropped = 0
    while True:
        # Gathered in memory, and by a transaction that only reads: one that writes for so long would hold the feed up.
        found = array("q")
        with conn.transaction():
            conn.execute("SET TRANSACTION READ ONLY")
            with conn.cursor(name="superseded") as cursor:
                cursor.itersize = CHUNK
                cursor.execute(
                    "SELECT tx, position FROM (SELECT tx, position, lead(tx) OVER "
                    "(PARTITION BY subject, key ORDER BY tx, position) AS newer FROM feed) f "
                    "WHERE newer IS NOT NULL LIMIT %s",
                    (MAX_FOUND,),
                )
                for row in cursor:
                    found.extend(row)
        for start in range(0, len(found), 2 * CHUNK):
            part = found[start : start + 2 * CHUNK]
            dropped += conn.execute(
                "DELETE FROM feed f USING unnest(%s::bigint[], %s::bigint[]) AS s (tx, position) "
                "WHERE (f.tx, f.position) = (s.tx, s.position)",
                (part[0::2].tolist(), part[1::2].tolist()),
            ).rowcount
        if len(found) < 2 * MAX_FOUND:
            return dropped


def _drop_old(conn: Connection, keep: timedelta) -> int:
    """Drop rows up to the last one older than `keep`, once every reader is told that they go."""
    row = conn.execute(
        f"SELECT tx, position FROM feed WHERE at < now() - %s AND {SETTLED} ORDER BY tx DESC, position DESC LIMIT 1",
        (keep,),
    ).fetchone()
    if row is None:
        return 0
    last = Place(*row)
    conn.execute("UPDATE head_office SET feed_from_tx = %s, feed_from_position = %s", (last.tx, last.position))
    dropped = 0
    while True:
        gone = conn.execute(
            "DELETE FROM feed WHERE (tx, position) IN (SELECT tx, position FROM feed "
            "WHERE (tx, position) <= (%s, %s) ORDER BY tx, position LIMIT %s)",
            (last.tx, last.position, CHUNK),
        ).rowcount
        dropped += gone
        if gone < CHUNK:
            return dropped
