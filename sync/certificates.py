"""The terminal's certificate: head office's word that a key is that of one of its tills, so that others trust it."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync.signing import certified
from sync.store import Store

log = structlog.get_logger("spaarpunt.sync")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Says that `public_key` (32 bytes) signs for `terminal` in `epoch`; `signature` (64 bytes) is head office's."""

    terminal: str
    epoch: int
    public_key: bytes
    signature: bytes


class Certificates:
    """This till's own certificate, and the check of others'. No line is needed for either."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, epoch: int, signature: str | None) -> None:
        """Keep what head office signed (base64) for the key that this till signs with in `epoch`; None changes nothing.

        Raises:
            StoreError: it could not be written.
        """
        row = self._store.row("SELECT terminal, private_key FROM terminal")
        if row is None or signature is None:
            return
        key = Ed25519PrivateKey.from_private_bytes(row[1]).public_key().public_bytes_raw()
        try:
            raw = base64.b64decode(signature, validate=True)
        except ValueError:
            raw = b""
        if not self.trusts(Certificate(row[0], epoch, key, raw)):
            log.error("head office's certificate is not for this till's key: receipts carry no return code")
            return
        with self._store.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO certificate VALUES (?, ?, ?)", (epoch, key, raw))

    def own(self) -> tuple[Certificate, Ed25519PrivateKey] | None:
        """The certificate of the present epoch and the key that it is for; None while head office has not sent one."""
        row = self._store.row(
            "SELECT t.terminal, c.epoch, c.public_key, c.signature, t.private_key "
            "FROM terminal t JOIN head USING (one) JOIN certificate c ON c.epoch = head.epoch"
        )
        if row is None:
            return None
        key = Ed25519PrivateKey.from_private_bytes(row[4])
        certificate = Certificate(*row[:4])
        # Between the moment a new key is declared and the one it counts, the old one is still in use.
        return (certificate, key) if key.public_key().public_bytes_raw() == certificate.public_key else None

    def trusts(self, certificate: Certificate) -> bool:
        """Whether this till's head office signed it."""
        row = self._store.row("SELECT hq_public_key FROM terminal")
        statement = certified(certificate.terminal, certificate.epoch, certificate.public_key)
        return row is not None and signed(row[0], certificate.signature, statement)


def signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` over `message` is that of `public_key` (32 bytes, Ed25519, RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
