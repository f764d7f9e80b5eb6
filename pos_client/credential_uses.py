"""Which rotating credentials this till has seen used, on its disk: a code does not count again after a restart."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from loyalty.credentials import TOLERANCE_STEPS, Credential, Used
from sync.store import Store

_NAMES = b"spaarpunt credential use"
"""Sets the names of uses apart from card tokens, which the same key makes."""


class CredentialUses:
    """Remembers uses. Not thread-safe: the till calls it under its lock.

    Member keys are card numbers, so what is written is a keyed hash of them, as with card tokens.
    """

    def __init__(self, store: Store, card_key: bytes) -> None:
        self._store = store
        self._key = hmac.new(card_key, _NAMES, hashlib.sha256).digest()
        self._used = Used((row[0], row[1]) for row in store.rows("SELECT member, step FROM credential_use"))

    def take(self, credential: Credential, now_step: int) -> None:
        """Use a credential that has verified. When this returns its use is on the disk.

        Raises:
            CredentialRefused: replayed.
            StoreError: the use could not be written; the code does not count.
        """
        name = hmac.new(self._key, credential.member.encode("ascii"), hashlib.sha256).hexdigest()[:32]
        self._used.take(replace(credential, member=name), now_step)
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM credential_use WHERE step < ?", (now_step - TOLERANCE_STEPS,))
            connection.execute("INSERT OR IGNORE INTO credential_use VALUES (?, ?)", (name, credential.step))
