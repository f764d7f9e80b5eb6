"""Servers that give the process back: what a till and head office share when they are told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def signals_return() -> Iterator[None]:
    """Come back after SIGINT and SIGTERM: uvicorn raises them again when done, with a database still to close."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def return_from(_signal: int, _frame: FrameType | None) -> None:
        """uvicorn has already stopped; there is nothing left to interrupt."""

    before = {number: signal.signal(number, return_from) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
