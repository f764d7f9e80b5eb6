"""Parked entries as tills and the operator hear of them: each as it stands now, with the last decision about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec import convert

from sync.hq.database import Connection
from sync.wire_mirror import ParkedChange, ParkedState

KEPT = timedelta(days=90)
"""How long tills keep what was decided about."""

_STORE = "t.store_id = (SELECT store_id FROM terminal WHERE terminal_id = %s)"

_SELECT = """
SELECT p.terminal_id, t.name, p.epoch, p.seq, encode(p.digest, 'hex'), p.code, p.text, p.state, p.kind, p.card,
    p.points, coalesce(p.business_date, p.parked_at::date), (extract(epoch FROM p.parked_at) * 1000)::bigint,
    r.approver, r.reason, (extract(epoch FROM r.at) * 1000)::bigint
FROM parked p JOIN terminal t USING (terminal_id) LEFT JOIN LATERAL (
    SELECT approver, reason, at FROM resolution r
    WHERE (r.terminal_id, r.epoch, r.seq, r.digest) = (p.terminal_id, p.epoch, p.seq, p.digest)
    ORDER BY number DESC LIMIT 1
) r ON true
"""


def feed_key(terminal: str, epoch: int, seq: int, digest: bytes) -> str:
    """What the change feed calls a parked entry."""
    return f"{terminal} {epoch} {seq} {digest.hex()}"


def parked_changes(conn: Connection, terminal: str, keys: Sequence[str]) -> list[ParkedChange]:
    """Those of `keys` (as by `feed_key`) that are of the store of `terminal`, as they stand now."""
    rows = conn.execute(
        f"{_SELECT} JOIN unnest(%s::text[], %s::integer[], %s::bigint[], %s::text[]) AS w (terminal_id, epoch, seq, "
        f"digest) ON (p.terminal_id, p.epoch, p.seq, encode(p.digest, 'hex')) = "
        f"(w.terminal_id, w.epoch, w.seq, w.digest) WHERE {_STORE}",
        (*(list(column) for column in zip(*(_parts(key) for key in keys), strict=True)), terminal),
    )
    return [_change(row) for row in rows]


def shown(conn: Connection, terminal: str) -> list[ParkedChange]:
    """What tills of the store of `terminal` show: all that waits, and what was decided lately; oldest first."""
    rows = conn.execute(
        f"{_SELECT} WHERE (p.resolved_at IS NULL OR p.resolved_at > now() - %s) AND {_STORE} "
        "ORDER BY p.parked_at, p.terminal_id, p.epoch, p.seq",
        (KEPT, terminal),
    )
    return [_change(row) for row in rows]


def _parts(key: str) -> tuple[str, int, int, str]:
    terminal, epoch, seq, digest = key.split(" ")
    return terminal, int(epoch), int(seq), digest


def _change(row: tuple[object, ...]) -> ParkedChange:
    names = (
        "terminal", "till", "epoch", "seq", "digest", "code", "text", "state", "entry_kind", "card",
        "points", "business_date", "parked_ms", "approver", "reason", "decided_ms",
    )  # fmt: skip
    return convert({**dict(zip(names, row, strict=True)), "state": ParkedState(str(row[7]))}, ParkedChange)
