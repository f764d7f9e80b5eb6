"""A member's PIN checked at the till, with no line to head office, and guessing held back."""

from __future__ import annotations

from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pos_client.reckoning import TillError
from sync.mirror import Mirror
from sync.store import Store

MAX_WRONG = 5
"""Wrong PINs before a member's PIN is locked at this till: enough for a slip, far from 10 000."""
LOCK_MS = 15 * 60_000
"""How long: after it each further wrong PIN locks again, until a right one. Four digits then last a till for months."""


class Pins:
    """Checks PINs against the hashes in the mirror. Safe to call from several threads."""

    def __init__(self, store: Store, mirror: Mirror, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._mirror = mirror
        self._now_ms = now_ms
        self._hasher = PasswordHasher()

    def check(self, account: str | None, pin: str) -> None:
        """Check `pin` of a member. Every try is on the disk before its answer, so that a restart forgives nothing.

        Raises:
            TillError: `pin_unknown` when this till knows of no PIN, `pin_locked`, `pin_wrong`.
            StoreError: the tries could not be counted; the PIN does not count then.
        """
        known = self._mirror.pin_hash(account)
        if known is None:
            raise TillError("pin_unknown", "this member has no PIN: set one at the service desk, or scan the phone")
        wrong = self._try(account)
        try:
            self._hasher.verify(known, pin)
        except (VerificationError, InvalidHashError):
            left = MAX_WRONG - wrong
            if left <= 0:
                raise self._locked(LOCK_MS) from None
            raise TillError("pin_wrong", f"wrong PIN: {left} tries left") from None
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM pin_try WHERE account = ?", (account,))

    def _try(self, account: str | None) -> int:
        """Count a try as wrong, beforehand: pulling the plug after a guess must not take it back. The wrong ones."""
        now = self._now_ms()
        with self._store.transaction() as connection:
            row = connection.execute("SELECT wrong, locked_until_ms FROM pin_try WHERE account = ?", (account,))
            wrong, until = row.fetchone() or (0, 0)
            # A clock that was set back must not lock a member out for longer than the lock lasts.
            if now < until <= now + LOCK_MS:
                raise self._locked(until - now)
            wrong += 1
            until = now + LOCK_MS if wrong >= MAX_WRONG else 0
            connection.execute("INSERT OR REPLACE INTO pin_try VALUES (?, ?, ?)", (account, wrong, until))
        return int(wrong)

    def _locked(self, for_ms: int) -> TillError:
        minutes = -(-for_ms // 60_000)
        return TillError("pin_locked", f"too many wrong PINs: try again in {minutes} min, or scan the phone")
