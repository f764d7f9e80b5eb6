"""The tills of a simulation: real databases, journals, use cases and agents, opened while they have something to do."""

from __future__ import annotations

import contextlib
import resource
import shutil
from collections import OrderedDict
from datetime import time
from pathlib import Path

from loyalty.basket import Basket
from loyalty.basket import Line as Goods
from loyalty.errors import RewardRefused
from loyalty.ledger import Entry
from pos_client.events import EventBus
from pos_client.reckoning import TillError
from pos_client.simulation.line import Line
from pos_client.simulation.network import Network
from pos_client.simulation.office import FORMATS, Enrolled, Office
from pos_client.simulation.scenario import START, TIME_ZONE
from pos_client.till import Till
from sync.agent import Agent
from sync.epochs import Doubt, Epochs
from sync.journal import Journal
from sync.mirror import Mirror
from sync.snapshot import Snapshots
from sync.store import Store
from sync.terminal import load_terminal, save_terminal

KEY = bytes(32)
"""Of the tills' databases: they hold made-up people for some minutes."""

MAX_OPEN = 1000
"""Databases open at a time: half a megabyte and four files each."""

FILES_EACH = 4
FILES_BESIDES = 200
START_MS = int(START.timestamp() * 1000)


class Machine:
    """One till, and what the simulation knows of it from outside. The rest is in its database."""

    def __init__(self, place: int, name: str, enrolled: Enrolled, region: int, skew_s: float) -> None:
        self.place = place
        self.name = name
        self.enrolled = enrolled
        self.region = region
        self.skew_s = skew_s
        self.asked = False
        """Head office was asked where this journal stands: not again when the database is opened the next time."""
        self.queued = 0
        self.tries = 0
        """Rounds that failed in a row."""
        self.busy_until_s = 0.0
        self.round_planned = False
        self.night_due = False
        self.superseded = False


class OpenTill:
    """A machine that is switched on."""

    def __init__(self, machine: Machine, path: Path, office: Office, network: Network) -> None:
        self.machine = machine
        self.store = Store.open(path, KEY)
        if self.store.row("SELECT 1 FROM terminal") is None:
            save_terminal(self.store, office.welcome(machine.enrolled.terminal, machine.place), machine.enrolled.key)
        self.terminal = load_terminal(self.store)
        self.journal = Journal(self.store, self.terminal)
        self.line = Line(office, network, self.terminal.terminal, self.terminal.private_key, machine.region)
        offset_ms = Mirror(self.store).contact().clock_offset_ms or 0
        self.line.of_clock(machine.skew_s, offset_ms / 1000)
        self.agent = Agent(
            self.store,
            self.terminal,
            self.line,
            poll_s=None,
            now_ms=self.now_ms,
            steady_s=lambda: self.line.at_s,
            resumed=machine.asked,
        )
        self.till = Till(
            self.store,
            self.terminal,
            formats=FORMATS,
            bus=EventBus(),
            time_zone=TIME_ZONE,
            business_day_starts=time(0),
            session_timeout_s=600,
            now_ms=self.now_ms,
        )

    def now_ms(self) -> int:
        """This till's own clock."""
        return START_MS + round((self.line.at_s + self.machine.skew_s) * 1000)

    def sell(self, session: str, card: str, amount_minor: int, *, wish: bool) -> tuple[Entry, bool]:
        """Book a sale; whether the customer wished for a reward and did not get it is the second."""
        self.till.open_session(session)
        self.till.identify(session, card)
        goods = Goods(line_id="1", sku="goods", text="Boodschappen", gross_minor=amount_minor)
        self.till.set_basket(session, Basket(lines=(goods,)))
        refused = False
        if wish:
            try:
                self.till.redeem(session, "five-off")
            except (RewardRefused, TillError):
                refused = True
        booked = self.till.bookings.commit(session)
        return booked.entry, refused

    def learn(self) -> None:
        """Take over from the database what the simulation wants to know after a round."""
        self.machine.queued = self.journal.head().queued
        self.machine.superseded = Epochs(self.store).doubt() is Doubt.SUPERSEDED

    def close(self) -> None:
        """Switch it off."""
        self.store.close()


class Tills:
    """All machines; the most recently used are open. Close it."""

    def __init__(self, folder: Path, office: Office, network: Network) -> None:
        self._folder = folder
        self._office = office
        self._network = network
        self._open: OrderedDict[str, OpenTill] = OrderedDict()
        _allow_files(MAX_OPEN * FILES_EACH + FILES_BESIDES)

    def make_template(self, terminal: str) -> None:
        """Make the database that every till starts with: the members, no terminal yet."""
        store = Store.open(self._folder / "template.db", KEY)
        try:
            snapshots = Snapshots(store)
            for part in self._office.mirror(terminal):
                snapshots.apply(part, START_MS)
            with store.transaction() as connection:
                connection.execute("UPDATE feed SET clock_offset_ms = NULL")
        finally:
            store.close()

    def open(self, machine: Machine) -> OpenTill:
        """The machine, switched on."""
        found = self._open.get(machine.name)
        if found is not None:
            self._open.move_to_end(machine.name)
            return found
        if len(self._open) >= MAX_OPEN:
            _, oldest = self._open.popitem(last=False)
            oldest.close()
        path = self._path(machine)
        if not path.exists():
            path.parent.mkdir(parents=True)
            shutil.copyfile(self._folder / "template.db", path)
        made = self._open[machine.name] = OpenTill(machine, path, self._office, self._network)
        return made

    def copy(self, machine: Machine, onto: Machine) -> None:
        """Copy the disk of one machine onto another, which then takes itself for the first."""
        if (found := self._open.pop(machine.name, None)) is not None:
            found.close()
        self._path(onto).parent.mkdir(parents=True)
        shutil.copyfile(self._path(machine), self._path(onto))

    def close(self) -> None:
        """Switch all off."""
        for till in self._open.values():
            till.close()
        self._open.clear()

    def _path(self, machine: Machine) -> Path:
        return self._folder / f"{machine.place // 1000:03d}" / machine.name / "store.db"


def _allow_files(wanted: int) -> None:
    """Let this process open so many files, as far as the system lets it say so itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        with contextlib.suppress(ValueError):  # the first database that does not open says so
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard > 0 else wanted, hard))
