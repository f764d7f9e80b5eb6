"""One shop for the faults: head office, line, devices, a till. Each test finds it whole and may break what it likes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tenacity

from pos_client.demo.shops import SHOPS
from pos_client.demo.world import World
from pos_client.plugin.client import PluginProblem, TillClient
from tests.support.shop import ForkedWorld


@pytest.fixture(scope="module")
def shop() -> Iterator[World]:
    # Not below pytest's own folder: that one is closed to the user that PostgreSQL runs as when the tests run as root.
    with tempfile.TemporaryDirectory(prefix="spaarpunt-shop-", ignore_cleanup_errors=True) as folder:
        world = ForkedWorld(Path(folder), SHOPS["bakery"])
        try:
            world.start_head_office()
            world.fill_head_office()
            world.enrol_till()
            yield world
        finally:
            world.close()


@pytest.fixture
def world(shop: World) -> World:
    """The shop with its line and its devices; the till runs or does not, as the test before left it."""
    shop.line.mend()
    for device in (shop.scanner, shop.wedge, shop.camera):
        device.plug()
    return shop


@pytest.fixture
def stopped(world: World) -> World:
    """The shop while its till is off."""
    world.stop_till()
    return world


@pytest.fixture
def client(world: World) -> TillClient:
    """A running till with all its devices."""
    if world.client is None:
        return world.start_till()
    client = world.client

    def all_online() -> None:
        assert {device.status for device in client.status().devices} == {"online"}

    eventually(all_online)
    return client


def eventually(check: Callable[[], None]) -> None:
    """Repeat `check` until its assertions hold, for at most 20 seconds."""
    for attempt in tenacity.Retrying(
        stop=tenacity.stop_after_delay(20),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_exception_type((AssertionError, PluginProblem)),
        reraise=True,
    ):
        with attempt:
            check()
