"""How far an exchange with head office is, for commands that wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pos_client.commands.common import errors

Tell = Callable[[int, int], None]


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
