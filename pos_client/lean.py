"""Loads the web libraries without the parts that no till uses: a start is waited for, and memory is small."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

UNUSED = ("aiohttp", "requests")
"""What python-engineio's *clients* can use, which come along with the server that NiceGUI runs on: 0.4 s and 20 MB.

Both are optional there: it goes without them when they cannot be imported.
"""


@contextlib.contextmanager
def without_clients() -> Iterator[None]:
    """While imports run in this block, what is in `UNUSED` is not found; afterwards it can be imported as ever."""
    hidden = [name for name in UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # Python's own mark for a module that must not be found
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
