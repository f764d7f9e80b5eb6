"""A till's software that dies in mid-sale, kill -9, at a real till: nothing stays held, with a line and without."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pos_client.app import STORE_NAME
from sync.store import Store
from tests.simulation.office import Office
from tests.simulation.soak import REWARD, Soak
from tests.support.proxy import proxy
from tests.sync.build import KEY

REST_S = 5
"""The shortest that can be set."""
POLL_S = 3600
"""The till's own rounds are far too rare to help."""
LONG_S = 60.0
ROOT = Path(__file__).parents[2]


def wait(what: Callable[[], bool], why: str) -> None:
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < LONG_S, why
        threading.Event().wait(0.1)


def takes_a_reward_and_dies(shop: Soak, session: str) -> None:
    words = [sys.executable, "-m", "tests.simulation.dying_software", shop.address, shop.token, session]
    with subprocess.Popen(
        [*words, next(iter(shop.expected)), REWARD], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as software:
        assert software.stdout is not None
        assert software.stdout.readline() == "taken\n"
        software.kill()


def kept_here(shop: Soak) -> int:
    """Holds that the till itself still counts on."""
    store = Store.look(shop.data / STORE_NAME, KEY)
    try:
        return len(store.rows("SELECT hold FROM hold WHERE NOT free"))
    finally:
        store.close()


def test_nothing_stays_held_for_a_software_that_was_killed(fast: Path, head_office: Office, seed: int) -> None:
    head_office.empty()
    with head_office.served() as port, proxy(port) as line:
        shop = Soak(fast, head_office, line.port, seed, timeout_s=REST_S, poll_s=POLL_S)
        with shop.till(), shop.client() as other:
            begun = time.monotonic()
            takes_a_reward_and_dies(shop, "bon-1")
            assert (shop.held(), kept_here(shop)) == (1, 1)
            wait(lambda: shop.held() == 0, "head office still holds points for a sale that rests")
            assert time.monotonic() - begun >= REST_S, "the customer had no time to find a purse"

            takes_a_reward_and_dies(shop, "bon-2")
            line.cut()
            wait(lambda: kept_here(shop) == 0, "without a line the till keeps what it took")
            assert shop.held() == 1, "nobody told head office yet"
            line.join()
            wait(lambda: shop.held() == 0, "head office was not told when the line was back")
            # Whoever goes on with the sale has its reward held anew.
            assert other.commit("bon-2").settlement.points_spent > 0  # type: ignore[union-attr]
