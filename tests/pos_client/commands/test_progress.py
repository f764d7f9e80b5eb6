"""How far a running till is, for who waits at a terminal; nothing for programs."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from pos_client.commands import progress
from pos_client.commands.progress import queue_progress
from pos_client.plugin.api import create_api
from pos_client.plugin.token import read_or_create
from pos_client.runtime import Runtime
from tests.pos_client.commands.test_inbox import typed
from tests.pos_client.office.conftest import runtime, sell
from tests.pos_client.plugin.conftest import serving
from tests.support.till import SANNE

__all__ = ["runtime"]

WAIT_S = 20


class Queue:
    """A till's queue that gets shorter each time it is looked at."""

    def __init__(self, *lengths: int | None) -> None:
        self.lengths = list(lengths)
        self.seen_empty = threading.Event()
        self.looks = 0

    def __call__(self) -> int | None:
        self.looks += 1
        length = self.lengths.pop(0) if self.lengths else 0
        if length == 0:
            self.seen_empty.set()
        return length


def on(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> io.StringIO:
    written = io.StringIO()
    monkeypatch.setattr(progress, "errors", Console(file=written, force_terminal=terminal, width=80))
    return written


def test_a_terminal_shows_how_much_of_the_queue_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    written = on(monkeypatch, terminal=True)
    queue = Queue(300, None, 400, 100)
    with queue_progress(queue, quiet=False, look_s=0.01):
        assert queue.seen_empty.wait(WAIT_S)
    assert "entries sent" in written.getvalue()
    assert "400/400" in written.getvalue()


@pytest.mark.parametrize(("terminal", "quiet"), [(False, False), (True, True)])
def test_nothing_is_shown_or_asked_without_a_terminal_or_for_programs(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, quiet: bool
) -> None:
    written = on(monkeypatch, terminal=terminal)
    queue = Queue()
    with queue_progress(queue, quiet=quiet, look_s=0.01):
        pass
    assert (queue.looks, written.getvalue()) == (0, "")


def test_what_goes_wrong_meanwhile_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, terminal=True)
    with pytest.raises(ValueError, match="the till"), queue_progress(Queue(3), quiet=False, look_s=0.01):
        raise ValueError("the till said no")


def test_sync_now_asks_the_running_till_how_long_its_queue_is(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No head office answers this till: its queue stays, and the command says why."""
    written = on(monkeypatch, terminal=True)
    sell(runtime, SANNE.card)
    token = read_or_create(tmp_path / "till" / "plugin.token")
    with serving(create_api(runtime, token)) as address:
        said = typed(tmp_path, int(address.rsplit(":", 1)[1]))("sync", "now", code=1).output
    assert "sales go on" in said.replace("\n", " ")
    assert "entries sent" in written.getvalue()
    assert "0/1" in written.getvalue()
