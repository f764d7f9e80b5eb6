"""Sales go first: who works beside them gives up their lock for a breath, and the processor to whoever wants it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

BREATH_S = 0.001
"""Python's locks are not fair: who gives one back and takes it again at once leaves a checkout waiting."""

NICENESS = 10
"""Of nice(1). With more, a busy machine would hardly run a thread that may just have what a sale waits for."""


def step_back() -> None:
    """Let the thread that calls run after those that serve customers.

    On Linux niceness is a thread's own (setpriority(2)). Elsewhere it is a whole process's, and left as it is.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # a sandbox may forbid it: then both run alike
            os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))


class Turns:
    """A lock that may be taken again by the thread that has it, and that knows whether anybody had to wait for it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._waited_for = threading.Event()

    def __enter__(self) -> None:
        """Take the lock, or wait for it."""
        if not self._lock.acquire(blocking=False):
            self._waited_for.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self._lock.release()

    def breathe(self) -> None:
        """Leave the lock to those who waited since the last breath; without the lock."""
        if self._waited_for.is_set():
            self._waited_for.clear()
            time.sleep(BREATH_S)
