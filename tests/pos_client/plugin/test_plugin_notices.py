"""What the manager must hear of, in the till's status."""

from __future__ import annotations

from pos_client.plugin.client import TillClient
from pos_client.runtime import Runtime
from sync.epochs import Epochs
from sync.wire_mirror import ChangesPage


def test_the_status_tells_what_happened_until_the_night_has_reported_it(runtime: Runtime, till: TillClient) -> None:
    assert till.status().problem is None
    notices = Epochs(runtime.store)
    notices.tell(1000, "salvaged", "the file was damaged: 3 entries were saved")
    assert till.status().problem == "the file was damaged: 3 entries were saved"
    notices.reported()
    assert till.status().problem is None


def test_the_status_tells_of_a_clock_that_is_off(runtime: Runtime, till: TillClient) -> None:
    """Head office's time goes before an older notice: the clock is wrong now."""
    Epochs(runtime.store).tell(1000, "salvaged", "the file was damaged: 3 entries were saved")
    page = ChangesPage(changes=(), cursor="c", more=False, as_of_ms=200_000, epoch=1, includes_seq=0)
    runtime.mirror.apply(page, 1000)
    assert till.status().problem == (
        "this machine's clock is 199 s behind head office's: set it; sales are kept and sent, with both times noted"
    )
    runtime.mirror.apply(page, 200_000 + 120_000)  # two minutes are no fault yet
    assert till.status().problem == "the file was damaged: 3 entries were saved"
