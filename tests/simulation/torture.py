"""`make torture`: the proofs for as long as asked, each round with another seed, until one of them fails.

SEED=… plays the round of that seed again.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import random
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import psycopg
import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sync.hq.embedded import EmbeddedPostgres
from tests.simulation.books import expect_sound
from tests.simulation.kills import Victim
from tests.simulation.machine import play_once
from tests.simulation.office import Office, office
from tests.simulation.power_cuts import cut_the_power, fast_folder, log_of_a_day
from tests.simulation.shops import Tally
from tests.support.disk import NoFuse, expect_fuse
from tests.support.proxy import Fault, proxy

COMMITS = 300
CUTS = 1000
KILLS = 10
"""In one round; a round of all proofs takes about half a minute, so that even a short torture has several seeds."""

console = Console(stderr=True)


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0), default=10, show_default=True, help="How long to go on.")
@click.option("--seed", type=int, envvar="SEED", help="Play the round of this seed, and no other.")
def main(minutes: float, seed: int | None) -> None:
    """Cut the power, kill tills, break lines and play chains of shops, until the time is over or something is wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    seeds = itertools.count(secrets.randbelow(10**9)) if seed is None else [seed]
    done = Tally()
    start = time.monotonic()
    with head_office() as made, _bar(minutes) as tell:
        for number in seeds:
            done.note("seeds")
            for name, proof in _proofs(made, number, done):
                tell(time.monotonic() - start, f"{name}, SEED={number}")
                _prove(name, proof, number)
                if done.done["seeds"] > 1 and time.monotonic() - start >= minutes * 60:
                    break  # every proof ran with the first seed at least
            if time.monotonic() - start >= minutes * 60:
                break
    counts = {"rounds": "seeds", "power cuts": "power cuts", "kills": "kills", "sales": "sale", "exchanges": "sync"}
    told = ", ".join(f"{what} {done.done.get(kind, 0):,}" for what, kind in counts.items())
    console.print(f"✓ nothing lost, nothing twice: {told}, steps {done.steps:,}", highlight=False)


def _prove(name: str, proof: Callable[[], None], seed: int) -> None:
    again = f"make torture SEED={seed}"
    try:
        proof()
    except KeyboardInterrupt:
        console.print(f"stopped in {name}; to play this round: {again}")
        raise click.Abort from None
    except BaseException:
        console.print(f"✗ {name}: to see it again, run: {again}")
        raise


def _proofs(made: Office, seed: int, done: Tally) -> Iterator[tuple[str, Callable[[], None]]]:
    try:
        expect_fuse()
    except NoFuse as missing:
        console.print(missing.reason)
    else:
        yield "power cuts", lambda: _cut(seed, done)
    yield "kills", lambda: _kill(made, seed, done)
    yield "chains of shops", lambda: play_once(made, seed, done)


def _cut(seed: int, done: Tally) -> None:
    with fast_folder() as folder:
        log = log_of_a_day(Path(folder), commits=COMMITS, seed=seed)
        verdict = cut_the_power(log, Path(folder), cuts=CUTS, seed=seed)
    if verdict.losses:
        raise AssertionError("; ".join(verdict.losses))
    done.note("power cuts", verdict.states)


def _kill(made: Office, seed: int, done: Tally) -> None:
    """Kill a till whose line is bad as well."""
    made.empty()
    chance = random.Random(seed)
    cards = [str(2_910_000_000_000 + number) for number in range(3)]
    for card in cards:
        made.join(card)
    quick = [fault for fault in Fault if fault not in {Fault.HALF_OPEN, Fault.SILENCE}]

    def choose() -> Fault:
        return chance.choice(quick) if chance.random() < 0.3 else Fault.NONE

    with fast_folder() as folder, made.served() as port, proxy(port, chance=chance, choose=choose) as line:
        victim = Victim(Path(folder), line, made.code(), cards, seed)
        for _ in range(KILLS):
            victim.lose_it()
            victim.check()
        line.mend()
        counter = victim.settle()
        with made.books() as conn:
            expect_sound(conn, [counter], settled=True)
        counter.close()
    done.note("kills", KILLS)


@contextlib.contextmanager
def head_office() -> Iterator[Office]:
    """A head office with a PostgreSQL of its own, which goes at the end."""
    folder = Path(tempfile.mkdtemp(prefix="hq-"))
    server = EmbeddedPostgres(folder)
    try:
        with psycopg.connect(server.url, autocommit=True) as admin:
            # Nothing here cuts head office's own power; flushing is most of the time that small databases take.
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
        with office(server.url) as made:
            yield made
    finally:
        server.close()
        shutil.rmtree(folder)


@contextlib.contextmanager
def _bar(minutes: float) -> Iterator[Callable[[float, str], None]]:
    with Progress(
        BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"), console=console, transient=True
    ) as progress:
        task = progress.add_task("starting", total=minutes * 60)

        def tell(passed_s: float, text: str) -> None:
            progress.update(task, completed=passed_s, description=text)
            if not console.is_terminal:
                console.print(text)  # a log has every seed, and the last line is the one that failed

        yield tell


if __name__ == "__main__":
    main()
