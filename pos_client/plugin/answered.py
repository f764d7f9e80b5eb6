"""Answers kept by Idempotency-Key: the same request again gets the same answer, also after a restart."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from sync.errors import StoreError
from sync.store import Store
from sync.terminal import wall_ms

MAX_KEPT = 4096
"""Answers kept: some 600 sales. One of 500 lines compresses to 15 kB, so that all of them stay below 64 MB."""
KEPT_MS = 86_400_000
"""A day: whoever did not hear an answer asks again within seconds, or after the night's restart."""
MAX_KEY = 128
"""Characters of a key: a UUID has 36."""
_OLD_A_TURN = 4
"""Old answers dropped with each new one: more than come in, and never a long wait."""
_MAX_UNWRITTEN = 64
"""Answers that a failing disk would not take, kept in memory."""

_FIND = "SELECT request, status, body FROM answered WHERE caller = ? AND key = ? AND at_ms > ?"
_KEEP = (
    "INSERT INTO answered (caller, key, request, status, body, at_ms) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (caller, key) DO UPDATE SET request = excluded.request, status = excluded.status, "
    "body = excluded.body, at_ms = excluded.at_ms"
)
_DROP = (
    "DELETE FROM answered WHERE number IN (SELECT number FROM answered ORDER BY number LIMIT ?) "
    "AND (at_ms <= ? OR number <= (SELECT max(number) FROM answered) - ?)"
)

log = structlog.get_logger("spaarpunt.plugin")


class KeyReused(Exception):
    """The key came before, with another request."""


class KeyUnderWay(Exception):
    """The request with this key is being carried out at this moment."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was answered."""

    status: int
    body: bytes


class Claim:
    """One key while its request is carried out: by one request at a time."""

    def __init__(self, desk: Answered, caller: str, key: str, request: bytes) -> None:
        self._desk = desk
        self.place = (caller, key)
        self._request = request
        self.kept: Kept | None = None
        """What is kept for this key, from before or from this request."""

    @property
    def request(self) -> bytes:
        """The digest of the request."""
        return self._request

    def keep(self, status: int, body: bytes, within: Any = None) -> None:
        """Keep the answer; with the connection of a transaction it is on the disk with that, or not at all."""
        self._desk.keep(self, Kept(status, body), within)

    def release(self) -> None:
        """The request is done, however it ended."""
        self._desk.release(self)


class Answered:
    """The answers of one till. Thread-safe.

    Only what was done is kept. A refusal changed nothing: the same key may be tried again, for example when there is
    space on the disk.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int] = wall_ms) -> None:
        self._store = store
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._under_way: set[tuple[str, str]] = set()
        self._unwritten: OrderedDict[tuple[str, str], tuple[bytes, Kept]] = OrderedDict()

    def claim(self, caller: str, key: str, request: bytes) -> Claim:
        """Begin a request with a key, or find in `kept` what it was answered before.

        Args:
            caller: whose key it is: two programs may choose the same one.
            request: what is asked, every byte of it: method, path and body.

        Raises:
            KeyReused, KeyUnderWay, StoreError.
        """
        claim = Claim(self, caller, key, hashlib.sha256(request).digest())
        with self._lock:
            if claim.place in self._under_way:
                raise KeyUnderWay
            self._under_way.add(claim.place)
        try:
            found = self._find(claim)
            if found is not None:
                if found[0] != claim.request:
                    raise KeyReused
                claim.kept = found[1]
        except BaseException:
            self.release(claim)
            raise
        return claim

    def keep(self, claim: Claim, kept: Kept, within: Any = None) -> None:
        """As `Claim.keep`. Outside a transaction a disk that fails does not undo what was done: memory has it then.

        Raises:
            StoreError: within a transaction.
        """
        now = self._now_ms()
        try:
            with self._store.transaction(within) as connection:
                connection.execute(_KEEP, (*claim.place, claim.request, kept.status, zlib.compress(kept.body, 1), now))
                connection.execute(_DROP, (_OLD_A_TURN, now - KEPT_MS, MAX_KEPT))
        except StoreError as error:
            if within is not None:
                raise
            log.warning("an answer is kept in memory only", problem=str(error))
            with self._lock:
                self._unwritten[claim.place] = (claim.request, kept)
                if len(self._unwritten) > _MAX_UNWRITTEN:
                    self._unwritten.popitem(last=False)
        claim.kept = kept

    def release(self, claim: Claim) -> None:
        """As `Claim.release`."""
        with self._lock:
            self._under_way.discard(claim.place)

    def _find(self, claim: Claim) -> tuple[bytes, Kept] | None:
        with self._lock:
            if (unwritten := self._unwritten.get(claim.place)) is not None:
                return unwritten
        row = self._store.row(_FIND, (*claim.place, self._now_ms() - KEPT_MS))
        return None if row is None else (row[0], Kept(row[1], zlib.decompress(row[2])))
