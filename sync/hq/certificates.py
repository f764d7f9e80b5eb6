"""Head office's word for a terminal's key, by which tills trust each other's receipts without a line."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.hq.database import Connection
from sync.signing import certified


def certify(conn: Connection, terminal: str, epoch: int) -> str | None:
    """Head office's signature (base64) over the key of an enrolled terminal in its present epoch; None once revoked."""
    row = conn.execute(
        "SELECT t.public_key, h.signing_key FROM terminal t, head_office h "
        "WHERE t.terminal_id = %s AND t.revoked_at IS NULL",
        (terminal,),
    ).fetchone()
    if row is None:
        return None
    signature = Ed25519PrivateKey.from_private_bytes(row[1]).sign(certified(terminal, epoch, row[0]))
    return base64.b64encode(signature).decode("ascii")
