"""The demo's buttons: whatever is plugged, unplugged or garbled, the cashier sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tenacity

from drivers.supervisor import Supervisor
from pos_client.config import load_config
from pos_client.demo.panel import garbles
from pos_client.demo.shops import SHOPS
from pos_client.demo.world import World
from pos_client.device_settings import build_devices
from pos_client.events import EventKind, TillEvent
from pos_client.runtime import Runtime
from pos_client.screen.facts import read_facts
from pos_client.screen.memory import Memory, after
from pos_client.screen.view import build_view
from sync.terminal import wall_ms
from tests.support.till import make_runtime

NAMES = ("camera", "receipts", "scanner", "stripe", "swipe", "table")


class Counter:
    """The demo's devices at a till, and what its screen would show."""

    def __init__(self, world: World, runtime: Runtime) -> None:
        self.world = world
        self.runtime = runtime
        self.memory = Memory()
        self.away: list[str] = []
        runtime.bus.listen(self._hear)

    def _hear(self, event: TillEvent) -> None:
        self.memory, _ = after(self.memory, event, wall_ms())
        if event.kind is EventKind.DEVICE_STATUS and event.data["status"] != "online":
            self.away.append(build_view(read_facts(self.runtime), self.memory, "nl").devices)

    def shows(self) -> tuple[str, str]:
        """The message and the devices that are not ready."""
        view = build_view(read_facts(self.runtime), self.memory, "nl")
        return view.message.text if view.message else "", view.devices

    def wait(self, so: Callable[[], bool]) -> None:
        for attempt in tenacity.Retrying(
            stop=tenacity.stop_after_delay(20), wait=tenacity.wait_fixed(0.05), reraise=True
        ):
            with attempt:
                assert so(), self.shows()


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    folder = tmp_path_factory.mktemp("panel")
    world = World(folder / "world", SHOPS["bakery"])
    runtime = make_runtime(folder / "till")
    made = Counter(world, runtime)
    supervisor = Supervisor(build_devices(load_config(Path(world.config))), runtime.board.on_event)
    supervisor.start()
    made.wait(lambda: [device.name for device in runtime.board.states()] == list(NAMES) and not made.shows()[1])
    yield made
    supervisor.stop()
    world.close()
    runtime.store.close()


@pytest.mark.parametrize("name", NAMES)
def test_garbled_data_is_told(counter: Counter, name: str) -> None:
    counter.memory = Memory()
    counter.away.clear()
    garbles(counter.world)[name]()
    if name == "receipts":  # a printer that answers nonsense is not ready until it answers again
        counter.wait(lambda: "Niet gereed: receipts" in counter.away)
    else:
        counter.wait(lambda: "opnieuw" in counter.shows()[0] or "nog eens" in counter.shows()[0])
    counter.wait(lambda: not counter.shows()[1])


def test_what_is_unplugged_is_named_and_comes_back(counter: Counter) -> None:
    world = counter.world
    for device in world.devices:
        device.unplug()
    counter.wait(lambda: counter.shows()[1] == "Niet gereed: " + ", ".join(NAMES))
    for device in world.devices:
        device.plug()
    counter.wait(lambda: not counter.shows()[1])
