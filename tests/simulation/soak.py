"""`make soak`: tens of thousands of sessions at a real till with a real head office, eight at once, many cut short.

What is checked: nothing stays held, the till's process does not grow, and every member has just the points that they
earned and spent, by arithmetic of its own here.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import secrets
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter as Tally
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil
import structlog
from rich.console import Console

from loyalty.cards import CardNumber
from pos_client.demo.world import free_port
from pos_client.plugin.client import PluginProblem, TillClient
from tests.simulation.counter import FORMATS, Counter
from tests.simulation.office import Office
from tests.simulation.power_cuts import fast_folder
from tests.simulation.torture import head_office
from tests.support.entries import basket
from tests.sync.build import KEY

AT_ONCE = 8
CARDS = 40
OPENING = 100_000
"""Points of each member to begin with: enough for a reward at every visit."""
REWARD, COST, OFF_MINOR = "five-off", 50, 500
TIMEOUT_S = 30
"""After which the till gives back what a dead till's software left held."""
SETTLE_S = 3.0 * TIMEOUT_S
WARM_SHARE = 0.2
"""Of the sessions: caches that fill once are no growth."""
MAX_GROWTH_MB = 32
"""After warming up. A leak of one basket a session would be ten times this over a whole soak."""
START_S = 60.0
MB = 1024 * 1024
_MAY_BE_REFUSED = frozenset({"points_short", "points_held", "limit_per_basket", "card_cap", "till_cap", "balance"})
"""What a reward may be refused with, and a sale that has one: other sales had the points, or the till's own limit."""


@dataclass
class Soaked:
    """What was done, and how the till did. Megabytes of 2**20 bytes, seconds."""

    sessions: int = 0
    ends: Tally[str] = field(default_factory=Tally)
    """How sessions ended: committed, voided, returned, dropped, left, refused."""
    rewards: int = 0
    seconds: float = 0.0
    warm_mb: float = 0.0
    end_mb: float = 0.0
    threads: tuple[int, int] = (0, 0)
    files: tuple[int, int] = (0, 0)
    settled_s: float = 0.0
    """From the last session until nothing was held."""

    def __str__(self) -> str:
        ends = ", ".join(f"{count:,} {how}" for how, count in sorted(self.ends.items()))
        return (
            f"{self.sessions:,} sessions in {self.seconds:,.0f} s ({ends}; {self.rewards:,} rewards); "
            f"{self.warm_mb:.1f} MB warm, {self.end_mb:.1f} MB at the end; nothing held {self.settled_s:.0f} s later"
        )


@dataclass(frozen=True, slots=True)
class _Sale:
    """What is about to be booked; `points` by arithmetic of this room's own."""

    session: str
    card: str
    points: int
    lines: int


class Soak:
    """One till on a head office, and eight of the till's software that are not to be relied on."""

    def __init__(
        self, folder: Path, made: Office, port: int, seed: int, *, timeout_s: int = TIMEOUT_S, poll_s: int = 1
    ) -> None:
        self._made = made
        self._seed = seed
        self._cards = [str(2_910_000_000_000 + number) for number in range(CARDS)]
        for card in self._cards:
            made.join(card, OPENING)
        self.expected = dict.fromkeys(self._cards, OPENING)
        self.done = Soaked()
        self._left: list[str] = []
        self._lock = threading.Lock()
        self._url = f"http://127.0.0.1:{port}"
        self._port = free_port()
        self.data = folder / "till"
        counter = Counter(self.data, self._url)
        counter.enrol_patiently(made.code(), "kassa 1")
        counter.sync_patiently()
        counter.close()
        key = self.data / "store.key"
        key.touch(mode=0o600)
        key.write_text(KEY.hex(), encoding="ascii")
        self._config = folder / "spaarpunt.toml"
        self._config.write_text(
            f'[till]\ndata_dir = "{self.data}"\nhead_office_url = "{self._url}"\n[screen]\nport = {self._port}\n'
            f"[plugin]\nsession_timeout_s = {timeout_s}\n[sync]\npoll_s = {poll_s}\nhold_ms = 5000\n"
            '[log]\nlevel = "error"\n'
            '[[card_formats]]\nname = "card"\nprefix = "29"\nlength = 13\ncheck = "none"\n',
            encoding="utf-8",
        )

    @contextlib.contextmanager
    def till(self) -> Iterator[psutil.Process]:
        """The till's process, until the block ends."""
        program = subprocess.Popen(
            [sys.executable, "-m", "pos_client", "--config", str(self._config), "till"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert program.stdout is not None
            assert "is ready" in program.stdout.readline(), "the till did not start"
            yield psutil.Process(program.pid)
        finally:
            program.terminate()
            program.wait(START_S)

    def run(self, sessions: int, *, patient: bool = True) -> Soaked:
        """Play `sessions` of them, settle, and check.

        Args:
            patient: whether what was left is left until the till's time-out; else its software comes back and drops it.

        Raises:
            AssertionError: something is held, grew, or does not add up.
        """
        with self.till() as process:
            begun = time.monotonic()
            self._play(process, sessions)
            self.done.seconds = time.monotonic() - begun
            self.done.end_mb = process.memory_info().rss / MB
            self.done.threads = (self.done.threads[0], process.num_threads())
            self.done.files = (self.done.files[0], process.num_fds())
            with self.client() as client:
                for session in () if patient else self._left:
                    client.void(session)
                self._settle(client)
        self._check()
        return self.done

    def client(self) -> TillClient:
        """The till's software."""
        return TillClient(f"http://{self.address}", self.token)

    @property
    def address(self) -> str:
        """Where the till is, as host and port."""
        return f"127.0.0.1:{self._port}"

    @property
    def token(self) -> str:
        """The till's own token."""
        return (self.data / "plugin.token").read_text(encoding="ascii").strip()

    def _play(self, process: psutil.Process, sessions: int) -> None:
        numbers = itertools.count()
        warm = int(sessions * WARM_SHARE)

        def software(which: int) -> None:
            chance = random.Random(f"{self._seed} {which}")
            with self.client() as client:
                while (number := next(numbers)) < sessions:
                    self._session(client, chance)
                    if number == warm:
                        self.done.warm_mb = process.memory_info().rss / MB
                        self.done.threads = (process.num_threads(), 0)
                        self.done.files = (process.num_fds(), 0)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for running in [pool.submit(software, which) for which in range(AT_ONCE)]:
                running.result()
        self.done.sessions = sessions

    def _session(self, client: TillClient, chance: random.Random) -> None:
        """One customer. The software dies, or the customer walks away, after any step."""
        session = str(uuid.UUID(int=chance.getrandbits(128)))
        card = chance.choice(self._cards)
        amounts = [chance.randint(1, 3000) for _ in range(chance.randint(1, 6))]
        steps = chance.randint(1, 4) if chance.random() < 0.25 else 9
        client.open_session(session)
        if steps > 1:
            client.set_basket(session, basket(*amounts), 0)
        if steps > 2:
            client.identify(session, card)
        taken = 0
        if steps > 3 and chance.random() < 0.5 and sum(amounts) >= OFF_MINOR:
            taken = self._redeem(client, session)
        if steps < 9:
            dropped = chance.random() < 0.5
            if dropped:
                client.void(session)
            else:
                self._left.append(session)
            self._note("dropped" if dropped else "left")
            return
        points = (sum(amounts) - OFF_MINOR * taken) // 100 - COST * taken
        self._book(client, chance, _Sale(session, card, points, len(amounts)))

    def _redeem(self, client: TillClient, session: str) -> int:
        try:
            client.redeem(session, REWARD)
        except PluginProblem as problem:
            assert problem.code in _MAY_BE_REFUSED, problem
            return 0
        with self._lock:
            self.done.rewards += 1
        return 1

    def _book(self, client: TillClient, chance: random.Random, sale: _Sale) -> None:
        try:
            booked = client.commit(sale.session).entry
        except PluginProblem as problem:
            assert problem.code in _MAY_BE_REFUSED, problem
            client.void(sale.session)
            self._note("refused")
            return
        assert booked is not None
        assert booked.points == sale.points, f"expected {sale.points} points, got {booked.points}"
        if chance.random() < 0.1:  # its answer was lost: asked once more
            assert client.commit(sale.session).entry == booked
        after = chance.random()
        if after < 0.05:
            undone, how = client.void(sale.session).entry, "voided"
        elif after < 0.1:
            back = {str(number + 1): 1000 for number in range(sale.lines)}
            undone, how = client.return_goods(f"{sale.session}-r", sale.session, back).entry, "returned"
        else:
            with self._lock:
                self.expected[sale.card] += sale.points
            self._note("committed")
            return
        assert undone is not None
        assert undone.points == -sale.points, f"expected {-sale.points} points back, got {undone.points}"
        self._note(how)

    def _note(self, how: str) -> None:
        with self._lock:
            self.done.ends[how] += 1

    def _settle(self, client: TillClient) -> None:
        """Until head office has everything and holds nothing."""
        begun = time.monotonic()
        while (held := self.held()) or client.status().queue_length:
            assert time.monotonic() - begun < SETTLE_S, f"{held} holds are still there: leaked"
            client.sync()
            threading.Event().wait(0.5)
        self.done.settled_s = time.monotonic() - begun
        night = client.sync(nightly=True)
        assert night.agrees, f"the day's books differ: {night.days}"

    def held(self) -> int:
        """How many holds head office has in force."""
        with self._made.books() as conn:
            row = conn.execute(
                "SELECT count(*) FROM hold WHERE state IN ('active', 'captured') AND expires_at > now()"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def _check(self) -> None:
        tokens = {CardNumber.parse(card, FORMATS).token(self._made.database.keys.card): card for card in self._cards}
        with self._made.books() as conn:
            rows = conn.execute(
                "SELECT c.token, b.points FROM card c JOIN balance b ON b.account_id = c.account_id"
            ).fetchall()
            parked = conn.execute("SELECT count(*) FROM parked").fetchone()
        points = {tokens[token]: there for token, there in rows if token in tokens}
        assert parked == (0,), f"{parked} entries were parked"
        assert points == self.expected, "members have other points than they earned and spent"
        grown = self.done.end_mb - self.done.warm_mb
        assert grown <= MAX_GROWTH_MB, f"the till grew by {grown:.1f} MB"
        # Threads for calls and holds are made when so many are first asked for at one moment: that may come late.
        assert self.done.threads[1] <= self.done.threads[0] + AT_ONCE, f"threads: {self.done.threads}"
        assert self.done.files[1] <= self.done.files[0] + 4, f"open files: {self.done.files}"


def soak(made: Office, sessions: int, seed: int, *, patient: bool = True) -> Soaked:
    """Soak a new till of a head office. Arguments as of `Soak.run`.

    Raises:
        AssertionError: something is held, grew, or does not add up.
    """
    with fast_folder() as folder, made.served() as port:
        return Soak(Path(folder), made, port, seed).run(sessions, patient=patient)


@click.command()
@click.option("--sessions", type=click.IntRange(min=AT_ONCE), default=50_000, show_default=True)
@click.option("--seed", type=int, envvar="SEED", help="Play the customers of this seed again.")
def main(sessions: int, seed: int | None) -> None:
    """Soak a till."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    number = secrets.randbelow(10**9) if seed is None else seed
    console = Console()
    console.print(f"SEED={number}", highlight=False)
    with head_office() as made:
        console.print(f"✓ {soak(made, sessions, number)}", highlight=False)


if __name__ == "__main__":
    main()
