"""Who may decide as a manager at this till: a name and a PIN, and guessing held back."""

from __future__ import annotations

from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pos_client.reckoning import TillError
from sync.store import Store
from sync.terminal import wall_ms

PIN_DIGITS = range(4, 13)
"""Digits of a manager's PIN: fewer are guessed, more are written on the till."""
MAX_NAME = 64
"""Characters of a manager's name: what an entry's `approver` holds."""
MAX_MANAGERS = 50
"""Managers of one till: more is a list of staff."""
MAX_WRONG = 5
"""Wrong PINs before a manager is locked at this till: enough for a slip, far from 10 000."""
LOCK_MS = 15 * 60_000
"""How long: after it each further wrong PIN locks again, until a right one. Four digits then last a till for months."""


class Approvals:
    """The managers of one till. Safe to call from several threads; every try is on the disk before its answer."""

    def __init__(self, store: Store, now_ms: Callable[[], int] = wall_ms) -> None:
        self._store = store
        self._now_ms = now_ms
        # OWASP's least figures for argon2id (19 MiB, 2 rounds): some 30 ms at a till. What protects a PIN is the
        # encrypted database and the counted tries; the hash only slows a thief of both.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

    def names(self) -> list[str]:
        """The managers, by name."""
        return [name for (name,) in self._store.rows("SELECT name FROM manager ORDER BY name")]

    def add(self, name: str, pin: str) -> None:
        """Give a manager a PIN, or another one; a lock is taken off.

        Raises:
            TillError: `manager_invalid`: a name or PIN that cannot be, or too many managers.
            StoreError: nothing was written.
        """
        if not name or len(name) > MAX_NAME or not name.isprintable() or name != name.strip():
            raise TillError("manager_invalid", f"expected a name of 1 to {MAX_NAME} printable characters")
        if not (pin.isascii() and pin.isdigit() and len(pin) in PIN_DIGITS):
            raise TillError("manager_invalid", f"expected a PIN of {PIN_DIGITS.start} to {PIN_DIGITS.stop - 1} digits")
        hashed = self._hasher.hash(pin)
        with self._store.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO manager VALUES (?, ?, 0, 0)", (name, hashed))
            if connection.execute("SELECT count(*) FROM manager").fetchone()[0] > MAX_MANAGERS:
                raise TillError("manager_invalid", f"this till has {MAX_MANAGERS} managers already: remove one first")

    def remove(self, name: str) -> None:
        """Take a manager's PIN away; entries keep the name.

        Raises:
            TillError: `manager_invalid`: there is no such manager.
        """
        with self._store.transaction() as connection:
            if not connection.execute("DELETE FROM manager WHERE name = ?", (name,)).rowcount:
                raise TillError("manager_invalid", f"there is no manager '{name}' at this till")

    def approve(self, name: str, pin: str) -> str:
        """The name to put on an entry, once `pin` is that manager's.

        Raises:
            TillError: `no_manager` when nobody has a PIN here yet, `approval_wrong`, `approval_locked`.
            StoreError: the try could not be counted; the PIN does not count then.
        """
        if not self.names():
            raise TillError(
                "no_manager", "no manager has a PIN at this till: stop it, and run: spaarpunt manager add NAME"
            )
        known, wrong = self._try(name)
        try:
            self._hasher.verify(known, pin)
        except (VerificationError, InvalidHashError):
            if wrong >= MAX_WRONG:
                raise _locked(LOCK_MS) from None
            raise TillError("approval_wrong", f"wrong PIN: {MAX_WRONG - wrong} tries left") from None
        with self._store.transaction() as connection:
            connection.execute("UPDATE manager SET wrong = 0, locked_until_ms = 0 WHERE name = ?", (name,))
        return name

    def _try(self, name: str) -> tuple[str, int]:
        """Count a try as wrong, beforehand: pulling the plug after a guess must not take it back."""
        now = self._now_ms()
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT pin_hash, wrong, locked_until_ms FROM manager WHERE name = ?", (name,)
            ).fetchone()
            if row is None:
                raise TillError("approval_wrong", "there is no manager of this name at this till")
            known, wrong, until = row
            # A clock that was set back must not lock a manager out for longer than the lock lasts.
            if now < until <= now + LOCK_MS:
                raise _locked(until - now)
            wrong += 1
            until = now + LOCK_MS if wrong >= MAX_WRONG else 0
            connection.execute("UPDATE manager SET wrong = ?, locked_until_ms = ? WHERE name = ?", (wrong, until, name))
        return known, wrong


def _locked(for_ms: int) -> TillError:
    return TillError("approval_locked", f"too many wrong PINs: try again in {-(-for_ms // 60_000)} min")
