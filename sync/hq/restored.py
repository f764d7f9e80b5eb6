"""A database that was restored from a backup: noticed, and the feed begun anew, so that every till takes a snapshot."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from sync.hq.database import Connection

log = structlog.get_logger("spaarpunt.hq")


def begin_anew(conn: Connection) -> str:
    """Give the feed a new name and no past: every till takes a snapshot. Returns the name."""
    epoch = secrets.token_hex(4)
    with conn.transaction():
        # Whoever writes to the feed now is waited for; whoever comes later has a number from `xmin` on.
        conn.execute("LOCK TABLE feed IN EXCLUSIVE MODE")
        conn.execute(
            "UPDATE head_office SET feed_epoch = %s, feed_from_position = 0, "
            "feed_from_tx = pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1",
            (epoch,),
        )
        # A database of another server counts its transactions from another number: no old row has its place here.
        conn.execute("DELETE FROM feed")
    return epoch


def notice_restore(conn: Connection) -> bool:
    """Begin the feed anew when the database lies in another place than the last time; whether it does.

    A place is the server, its history (a restore to a point in time starts another) and the database in it. A copy of
    the server's files keeps all three: `spaarpunt hq restored` is for that.
    """
    with conn.transaction():
        row = conn.execute(
            "SELECT place, (SELECT system_identifier FROM pg_control_system()) || ':' || "
            "(SELECT timeline_id FROM pg_control_checkpoint()) || ':' || "
            "(SELECT oid FROM pg_database WHERE datname = current_database()) FROM head_office FOR UPDATE"
        ).fetchone()
        assert row is not None, "head office has its one row"
        before, now = row
        if before == now:
            return False
        conn.execute("UPDATE head_office SET place = %s", (now,))
        if before is None:
            return False
        begin_anew(conn)
    log.warning("this database was restored or moved: every till will take a snapshot")
    return True
