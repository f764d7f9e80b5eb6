"""The tokens of programs that were paired: hashed in the till's database, named, with scopes, revocable."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from pos_client.reckoning import TillError
from sync.store import Store
from sync.terminal import wall_ms

TOKEN_BYTES = 32
"""256 random bits: past guessing, so that a plain SHA-256 of it may be kept."""
MAX_TOKENS = 32
"""Tokens in force: a till has a handful of programs; more is one that pairs at every start."""
TOKEN_ID = re.compile(r"[0-9a-f]{8}")
"""A token's public name."""
_KEPT_REVOKED = 64
"""Revoked tokens that are remembered, so that whoever still has one hears why it is refused."""


class Scope(StrEnum):
    """What a program may do."""

    READ = "read"  # status, balances, receipts, events
    SELL = "sell"  # sales, voids, returns
    MANAGE = "manage"  # what a manager answers for, exchanges with head office, tokens


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call, or has made one. `id` is public; times are Unix ms UTC.

    `origin` is the one web page that may use the token, None for a program that is no page.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    origin: str | None = None
    made_ms: int = 0
    revoked_ms: int | None = None


OURSELVES = Caller("spaarpunt", "spaarpunt", frozenset(Scope))
"""Spaarpunt's own commands, run by the till's user: whoever can read the till's plugin.token file."""


class Tokens:
    """The tokens of one till. Thread-safe; kept in memory, since every call asks."""

    def __init__(self, store: Store, now_ms: Callable[[], int] = wall_ms) -> None:
        self._store = store
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._on_revoked: list[Callable[[str], None]] = []
        rows = store.rows("SELECT hash, id, name, scopes, origin, made_ms, revoked_ms FROM token ORDER BY made_ms, id")
        self._callers: dict[bytes, Caller] = {
            place: Caller(token_id, name, frozenset(map(Scope, scopes.split())), origin, made_ms, revoked_ms)
            for place, token_id, name, scopes, origin, made_ms, revoked_ms in rows
        }

    def all(self) -> list[Caller]:
        """Every token in force, and those revoked lately; oldest first."""
        with self._lock:
            return list(self._callers.values())

    def origins(self) -> set[str]:
        """The web pages that have a token in force."""
        return {caller.origin for caller in self.all() if caller.origin and caller.revoked_ms is None}

    def find(self, text: str) -> Caller | None:
        """Whose token this is, revoked or not; None for one that was never given."""
        with self._lock:
            return self._callers.get(_hash(text))

    def make(self, name: str, scopes: Iterable[Scope], origin: str | None) -> tuple[Caller, str]:
        """A new token and whose it is. The token itself is nowhere else.

        Raises:
            TillError: `too_many_tokens`; StoreError: there is no token.
        """
        text = secrets.token_urlsafe(TOKEN_BYTES)
        caller = Caller(secrets.token_hex(4), name, frozenset(scopes), origin, self._now_ms())
        with self._lock:
            if sum(other.revoked_ms is None for other in self._callers.values()) >= MAX_TOKENS:
                raise TillError(
                    "too_many_tokens", f"{MAX_TOKENS} programs are paired: revoke one first (spaarpunt tokens revoke)"
                )
            with self._store.transaction() as connection:
                connection.execute(
                    "INSERT INTO token (id, name, hash, scopes, origin, made_ms) VALUES (?, ?, ?, ?, ?, ?)",
                    (caller.id, name, _hash(text), " ".join(sorted(caller.scopes)), origin, caller.made_ms),
                )
            self._callers[_hash(text)] = caller
        return caller, text

    def revoke(self, token_id: str) -> Caller:
        """Refuse a token from now on. Again changes nothing.

        Raises:
            TillError: `token_unknown`; StoreError: it is still in force.
        """
        with self._lock:
            place = next((place for place, caller in self._callers.items() if caller.id == token_id), None)
            if place is None:
                raise TillError("token_unknown", f"no token '{token_id}': see spaarpunt tokens list")
            caller = self._callers[place]
            if caller.revoked_ms is not None:
                return caller
            gone = replace(caller, revoked_ms=self._now_ms())
            with self._store.transaction() as connection:
                connection.execute("UPDATE token SET revoked_ms = ? WHERE id = ?", (gone.revoked_ms, token_id))
                connection.execute(
                    "DELETE FROM token WHERE revoked_ms IS NOT NULL AND id NOT IN "
                    "(SELECT id FROM token WHERE revoked_ms IS NOT NULL ORDER BY revoked_ms DESC LIMIT ?)",
                    (_KEPT_REVOKED,),
                )
            self._callers[place] = gone
        for tell in self._on_revoked:
            tell(token_id)
        return gone

    def on_revoked(self, tell: Callable[[str], None]) -> None:
        """Have `tell` called with the id of each token that is revoked."""
        self._on_revoked.append(tell)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
