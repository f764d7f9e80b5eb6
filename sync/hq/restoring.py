"""After a restore: head office's database is as it was, and what tills were told since must not be built on."""

from __future__ import annotations

import secrets

from sync.hq.database import Connection


def new_feed_epoch(conn: Connection) -> str:
    """Begin the change feed anew, and return its name: every cursor given out so far is answered 410 `feed_epoch`.

    Positions given out after the backup was made are given out again, for other changes: a till that went on from its
    cursor would miss them. What tills sent after the backup they notice by themselves, and send again.
    """
    epoch = secrets.token_hex(4)
    conn.execute("UPDATE head_office SET feed_epoch = %s", (epoch,))
    return epoch
