"""Whether a till's file is whole: its pages, and the digest chain of what head office does not have yet."""

from __future__ import annotations

from typing import Any

import sqlcipher3.dbapi2 as sqlcipher

from loyalty.ledger import GENESIS, chain

_DAMAGE = ("malformed", "not a database")
"""What SQLite says of a page that does not decrypt or makes no sense, once the key has opened the file."""


def damage(connection: Any) -> str | None:
    """What is wrong with an open file, in a few words; None when it is whole.

    Raises:
        sqlcipher3.DatabaseError: it could not be looked at, for a reason that is no damage (disk full, locked).
    """
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        return str(found) if found != "ok" else broken_chain(connection)
    except sqlcipher.DatabaseError as error:
        if is_damage(error):
            return str(error)
        raise


def is_damage(error: Exception) -> bool:
    """Whether an error of the database engine means that bytes of the file are wrong."""
    return any(word in str(error) for word in _DAMAGE)


def broken_chain(connection: Any) -> str | None:
    """Where the entries that head office does not have stop being a chain from the last it has; None when they hold."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'head'").fetchone():
        return None
    head = connection.execute("SELECT epoch, seq, digest, acked_seq FROM head").fetchone()
    if head is None:
        return None
    epoch, last, digest, acked = head
    before = connection.execute("SELECT digest FROM journal WHERE epoch = ? AND seq = ?", (epoch, acked)).fetchone()
    previous = before[0] if before else None
    if previous is None and acked == 0:
        previous = GENESIS
    if previous is None and connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'pruned'").fetchone():
        row = connection.execute("SELECT digest FROM pruned WHERE epoch = ? AND seq = ?", (epoch, acked)).fetchone()
        previous = row[0] if row else None
    if previous is None:
        return f"entry {acked} of epoch {epoch} is missing"
    place = acked
    for seq, raw, known in connection.execute(
        "SELECT seq, raw, digest FROM journal WHERE epoch = ? AND seq > ? ORDER BY seq", (epoch, acked)
    ):
        place += 1
        previous = chain(previous, raw)
        if seq != place or known != previous:
            return f"entry {place} of epoch {epoch} is missing or changed"
    if place != last or previous != digest:
        return f"the journal ends at entry {place} of epoch {epoch}, expected {last}"
    return None
