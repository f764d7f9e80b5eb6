"""Kills the real till with kill -9, over and over, while it books and syncs; what it answered must outlive that."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from loyalty.basket import Basket
from pos_client.demo.world import free_port
from pos_client.plugin.client import PluginProblem, TillClient
from sync.store import Store
from tests.simulation.counter import Counter, Receipt
from tests.support.entries import basket
from tests.support.process import TillProgram
from tests.support.proxy import Proxy
from tests.sync.build import KEY

START_S = 60
MOST_BOOKINGS = 6
"""Bookings answered before a kill at the most: few, so that many kills fit; the moment within a booking is random."""
WITHIN_S = 0.02
"""Of a booking that begins; it takes a few milliseconds from request to answer, more on a busy machine: the kill falls
anywhere in it or soon after."""
GONE = frozenset({"till_unreachable", "unknown_session"})


class Victim:
    """A till in `folder`, enrolled, and the customers who keep its receipts."""

    def __init__(self, folder: Path, line: Proxy, code: str, cards: list[str], seed: int) -> None:
        self._chance = random.Random(seed)
        self._line = line
        self._cards = cards
        self.data = folder / "till"
        self._till = TillProgram(folder / "spaarpunt.toml", self.data, free_port(), folder / "till.log")
        enrolled = Counter(self.data, line.url)
        enrolled.enrol_patiently(code, "kassa 1")
        enrolled.sync_patiently()
        enrolled.close()
        self.terminal = enrolled.terminal.terminal
        key = self.data / "store.key"
        key.touch(mode=0o600)
        key.write_text(KEY.hex(), encoding="ascii")
        self._till.config.write_text(
            f'[till]\ndata_dir = "{self.data}"\nhead_office_url = "{line.url}"\n'
            f"[screen]\nport = {self._till.port}\n[sync]\npoll_s = 1\ntimeout_s = 5\n"
            '[[card_formats]]\nname = "card"\nprefix = "29"\nlength = 13\ncheck = "none"\n',
            encoding="utf-8",
        )
        self.answered: set[str] = set()
        """Ids of entries that the till said are booked."""
        self._open_sales: list[str] = []
        """Sessions whose booking was asked for and never answered."""
        self._asked = threading.Event()
        """A booking is asked for."""
        self.kills = 0
        self.before_answer = 0
        """Kills that fell before the answer to a booking."""

    def lose_it(self) -> None:
        """Start the till, sell, kill it at a random moment."""
        self._till.start()
        with self._till.client(patience_s=0) as client:
            self._ask_again(client)
            enough = threading.Event()
            wanted = len(self.answered) + self._chance.randint(1, MOST_BOOKINGS)
            if self._chance.random() < 0.3:
                self._line.cut()
            sellers = [threading.Thread(target=self._sell, args=(client, enough, wanted)) for _ in range(2)]
            for seller in sellers:
                seller.start()
            assert enough.wait(START_S), self._till.said()
            self._asked.clear()
            assert self._asked.wait(START_S), self._till.said()
            moment = time.monotonic() + self._chance.random() * WITHIN_S
            while time.monotonic() < moment and self._till.alive():
                time.sleep(0)  # a moment within a booking, not a condition to wait for
            assert self._till.end(signal.SIGKILL) == -signal.SIGKILL
            for seller in sellers:
                seller.join()
        self.kills += 1
        self._line.join()

    def check(self) -> None:
        """Everything answered is in the journal, looked at as the command line does beside a till."""
        store = Store.look(self.data / "store.db", KEY)
        try:
            held = {name for (name,) in store.rows("SELECT id FROM journal")}
        finally:
            store.close()
        assert self.answered <= held, f"answered as booked and gone: {sorted(self.answered - held)}"

    def settle(self) -> Counter:
        """The till once more, in this process: synced to the end. Its receipts are what was answered."""
        counter = Counter(self.data, self._line.url)
        counter.start()
        counter.sync_patiently()
        rows = counter.store.rows("SELECT epoch, seq, id FROM journal")
        counter.printed = [Receipt(self.terminal, epoch, seq, name) for epoch, seq, name in rows]
        return counter

    def _sell(self, client: TillClient, enough: threading.Event, wanted: int) -> None:
        """Sell until the till is gone; now and then take a sale back."""
        chance = random.Random(self._chance.random())
        while True:
            try:
                session = client.open_session().session
                client.set_basket(session, goods(chance), 0)
                client.identify(session, chance.choice(self._cards))
                self._book(session, client.commit)
                if chance.random() < 0.2:
                    self._book(session, client.void)
            except PluginProblem as problem:
                assert problem.code in GONE, problem
                return
            if len(self.answered) >= wanted:
                enough.set()

    def _book(self, session: str, call: Callable[[str], object]) -> None:
        self._open_sales.append(session)
        self._asked.set()
        try:
            answer = call(session)
        except PluginProblem:
            self.before_answer += 1
            raise
        self._open_sales.remove(session)
        entry = getattr(answer, "entry", None)
        assert entry is not None
        self.answered.add(entry.id)

    def _ask_again(self, client: TillClient) -> None:
        """The till's software does not know whether its last bookings were made: it asks once more."""
        for session in self._open_sales:
            try:
                answer = client.commit(session)
            except PluginProblem as problem:
                assert problem.code in {"unknown_session", "session_closed"}, problem
            else:
                assert answer.entry is not None
                self.answered.add(answer.entry.id)
        self._open_sales.clear()


def goods(chance: random.Random) -> Basket:
    """A basket of one to four lines."""
    return basket(*(chance.randint(1, 5000) for _ in range(chance.randint(1, 4))))
