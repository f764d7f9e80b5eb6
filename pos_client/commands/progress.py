"""How far an exchange with head office is, for commands that wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pos_client.commands.common import errors

Tell = Callable[[int, int], None]

LOOK_S = 1.0
"""How often a running till is asked how long its queue is."""


@contextmanager
def exchange_progress(*, quiet: bool) -> Iterator[tuple[Tell, Tell]]:
    """Lines on standard error that go away at the end: what to call for entries sent, and for members taken over."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, transient=True, disable=quiet) as progress:
        sending = progress.add_task("entries sent", total=None, visible=False)
        taking = progress.add_task("members and cards", total=None, visible=False)
        yield (
            lambda sent, total: progress.update(sending, completed=sent, total=total, visible=True),
            lambda taken, total: progress.update(taking, completed=taken, total=total, visible=True),
        )


@contextmanager
def queue_progress(queued: Callable[[], int | None], *, quiet: bool, look_s: float = LOOK_S) -> Iterator[None]:
    """The same of an exchange that another process does, by how many entries still wait there. On a terminal only.

    Args:
        queued: entries that wait there; None when it does not say. Called from a thread of its own.
        look_s: seconds from one call to the next.
    """
    if quiet or not errors.is_terminal:
        yield
        return
    over = threading.Event()
    with exchange_progress(quiet=False) as (tell, _):

        def look() -> None:
            most = 0
            while True:
                left = queued()
                if left is not None:
                    most = max(most, left)
                    tell(most - left, most)
                if over.wait(look_s):
                    return

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()
