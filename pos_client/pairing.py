"""Pairing: a program asks, the cashier's screen shows a code, and whoever types that code gets a token."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pos_client.events import EventBus, EventKind
from pos_client.reckoning import TillError
from pos_client.tokens import Caller, Scope, Tokens

CODE_DIGITS = 6
CODE_S = 300
"""How long a code is shown: long enough to walk to the other screen."""
MAX_TRIES = 5
"""Wrong codes before a pairing ends: with six digits one guess in 200 000 gets in."""
MAX_ASKED = 5
"""Pairings that may be asked for within `ASKED_S`: a program that keeps asking must not keep the screen."""
ASKED_S = 900


@dataclass(frozen=True, slots=True)
class Asked:
    """A pairing under way, as the cashier's screen shows it. `until` is a moment of the steady clock, in seconds."""

    name: str
    scopes: frozenset[Scope]
    origin: str | None
    code: str
    until: float


class Pairing:
    """One pairing at a time. Thread-safe. Goes by a clock that only runs forward: a till's date may be set any time."""

    def __init__(self, tokens: Tokens, bus: EventBus, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._tokens = tokens
        self._bus = bus
        self._steady_s = steady_s
        self._lock = threading.Lock()
        self._asked: Asked | None = None
        self._tries = 0
        self._recent: deque[float] = deque(maxlen=MAX_ASKED)

    @property
    def shown(self) -> Asked | None:
        """The pairing whose code is on the screen."""
        asked = self._asked
        return asked if asked is not None and self._steady_s() < asked.until else None

    def ask(self, name: str, scopes: frozenset[Scope], origin: str | None) -> Asked:
        """Show a code for a program.

        Raises:
            TillError: `pairing_under_way`, `pairing_locked`.
        """
        with self._lock:
            if self.shown is not None:
                raise TillError(
                    "pairing_under_way",
                    "the cashier's screen shows the code of another pairing: finish it, or refuse it there with Esc",
                )
            now = self._steady_s()
            if len(self._recent) == MAX_ASKED and now - self._recent[0] < ASKED_S:
                raise TillError("pairing_locked", f"{MAX_ASKED} pairings were asked for: wait a quarter of an hour")
            self._recent.append(now)
            self._tries = 0
            code = str(secrets.randbelow(10**CODE_DIGITS)).zfill(CODE_DIGITS)
            asked = self._asked = Asked(name, scopes, origin, code, now + CODE_S)
        self._tell("asked", name)
        return asked

    def finish(self, code: str, origin: str | None) -> tuple[Caller, str]:
        """Give a token to whoever has the code.

        Args:
            origin: the web page that asks; None for a program that is no page.

        Raises:
            TillError: `pairing_unknown`: no code is shown any more; `pairing_code_wrong`; `too_many_tokens`.
            StoreError: there is no token, and the code still counts.
        """
        with self._lock:
            asked = self.shown
            if asked is None:
                raise TillError("pairing_unknown", "no code is shown: ask for a pairing first")
            if not secrets.compare_digest(code.encode(), asked.code.encode()) or origin not in (None, asked.origin):
                self._tries += 1
                if self._tries < MAX_TRIES:
                    raise TillError("pairing_code_wrong", "this is not the code on the cashier's screen: look again")
                self._asked = None
                ended = TillError("pairing_code_wrong", f"{MAX_TRIES} wrong codes: the pairing ended, ask for another")
            else:
                made = self._tokens.make(asked.name, asked.scopes, asked.origin)
                self._asked, ended = None, None
        self._tell("refused" if ended else "paired", asked.name)
        if ended:
            raise ended
        return made

    def refuse(self) -> None:
        """The cashier does not want it."""
        with self._lock:
            asked, self._asked = self.shown, None
        if asked is not None:
            self._tell("refused", asked.name)

    def _tell(self, state: str, name: str) -> None:
        """Listeners hear that a program pairs, and never the code."""
        self._bus.publish(EventKind.PAIRING, {"state": state, "name": name})
