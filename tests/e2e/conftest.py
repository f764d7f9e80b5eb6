"""One shop for the faults: head office, line, devices; each test starts the till anew and may break what it likes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pos_client.demo.shops import SHOPS
from pos_client.demo.world import World


@pytest.fixture(scope="module")
def shop() -> Iterator[World]:
    # Not below pytest's own folder: that one is closed to the user that PostgreSQL runs as when the tests run as root.
    with tempfile.TemporaryDirectory(prefix="spaarpunt-shop-", ignore_cleanup_errors=True) as folder:
        world = World(Path(folder), SHOPS["bakery"])
        try:
            world.start_head_office()
            world.fill_head_office()
            world.enrol_till()
            yield world
        finally:
            world.close()


@pytest.fixture
def world(shop: World) -> Iterator[World]:
    shop.line.mend()
    for device in (shop.scanner, shop.wedge, shop.camera):
        device.plug()
    yield shop
    shop.stop_till()
