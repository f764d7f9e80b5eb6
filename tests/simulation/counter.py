"""One till of a simulation: the real use cases, store, agent and transport; clock and wire are arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from time import monotonic

import httpx

from loyalty.cards import CardFormat, CardNumber, CheckDigit
from loyalty.ledger import GENESIS, Entry, expect_head
from pos_client.events import EventBus
from pos_client.inbox import Inbox
from pos_client.session import Booked
from pos_client.till import Till
from sync.agent import Agent, SyncReport
from sync.epochs import Doubt, Epochs
from sync.errors import TransportError
from sync.holds import HoldDesk
from sync.journal import Journal
from sync.mirror import Mirror
from sync.store import Store
from sync.terminal import enrolment_key, load_terminal, save_terminal, wall_ms
from sync.transport import Transport
from tests.support.entries import basket
from tests.sync.build import KEY

FORMATS = (CardFormat(name="card", prefix="29", length=13, check=CheckDigit.NONE),)
TIME_ZONE = "Europe/Amsterdam"
ASK_S = 30
"""A till asks for a hold within half a second; here what fails is the wire, on order, and never a busy machine."""


@dataclass(frozen=True, slots=True, order=True)
class Receipt:
    """What a customer walked away with: head office must come to hold exactly this entry."""

    terminal: str
    epoch: int
    seq: int
    id: str

    @classmethod
    def of(cls, entry: Entry) -> Receipt:
        return cls(entry.terminal, entry.epoch, entry.seq, entry.id)


class Counter:
    """A till in `folder`, with whatever wire to head office it is given. Close it."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        wire: httpx.BaseTransport | None = None,
        timeout_s: int = 5,
        now_ms: Callable[[], int] = wall_ms,
        steady_s: Callable[[], float] = monotonic,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "store.db"
        self._url = url
        self._wire = wire
        self._timeout_s = timeout_s
        self._now_ms = now_ms
        self._steady_s = steady_s
        self.printed: list[Receipt] = []
        """What head office must come to hold exactly once."""
        self.lost: list[Receipt] = []
        """Receipts that went with a disk: what had been sent is at head office once, the rest is nowhere."""

    def enrol(self, code: str, name: str) -> None:
        """Take this till's place at head office, and start."""
        store = Store.open(self.path, KEY)
        key = enrolment_key(store)
        door = Transport(self._url, key, timeout_s=self._timeout_s, wire=self._wire, now_ms=self._now_ms)
        try:
            save_terminal(store, door.enrol(code, name, key), key)
        finally:
            door.close()
            store.close()
        self.start()

    def enrol_again(self, code: str, name: str) -> None:
        """Go on with a new key, as `spaarpunt enrol` does when head office takes this one no more."""
        key, terminal = enrolment_key(self.store), load_terminal(self.store)
        door = Transport(self._url, key, timeout_s=self._timeout_s, wire=self._wire, now_ms=self._now_ms)
        try:
            answer = door.enrol(code, name, key, (terminal.terminal, terminal.epoch))
        finally:
            door.close()
        Epochs(self.store).enrolled_again(answer, key)
        self.close()
        self.start()

    def enrol_patiently(self, code: str, name: str, tries: int = 50) -> None:
        """Enrol over a bad line: the same code and key until there is an answer."""
        for _ in range(tries - 1):
            try:
                return self.enrol(code, name)
            except TransportError:
                continue
        return self.enrol(code, name)

    def start(self) -> None:
        """Open the store and put the till together, as at every start."""
        self.store = Store.open(self.path, KEY)
        self.terminal = load_terminal(self.store)
        self.journal = Journal(self.store, self.terminal)
        self.mirror = Mirror(self.store)
        self.transport = self._transport()
        self.agent = Agent(self.store, self.terminal, self.transport, poll_s=3600, now_ms=self._now_ms)
        self.holds = HoldDesk(
            self.store,
            self._transport(),
            is_online=lambda: self.agent.state.online,
            ask_s=ASK_S,
            steady_s=self._steady_s,
        )
        self.till = Till(
            self.store,
            self.terminal,
            formats=FORMATS,
            bus=EventBus(),
            time_zone=TIME_ZONE,
            business_day_starts=time(0),
            session_timeout_s=600,
            holds=self.holds,
            now_ms=self._now_ms,
        )

        self.inbox = Inbox(self.store, self.journal, self.till.reckoning, language="en", now_ms=self._now_ms)

    def _transport(self) -> Transport:
        return Transport(
            self._url,
            self.terminal.private_key,
            self.terminal.terminal,
            timeout_s=self._timeout_s,
            clock_offset_ms=self.mirror.contact().clock_offset_ms or 0,
            wire=self._wire,
            now_ms=self._now_ms,
        )

    def close(self) -> None:
        """Switch the till off as it should be."""
        self.holds.close()
        self.transport.close()
        self.store.close()

    def crash(self) -> None:
        """End without a goodbye, and start on what was on the disk at that moment."""
        held = {path: path.read_bytes() for path in self._files()}
        self.close()
        # The files stay the same files: another file under the name would be a restored disk.
        for path in self._files():
            if path not in held:
                path.unlink()
        for path, data in held.items():
            path.write_bytes(data)
        self.start()

    def copy_of_disk(self) -> bytes:
        """The database as a copy of the switched-off till's disk has it."""
        self.close()
        held = self.path.read_bytes()
        self.start()
        return held

    def put_disk_back(self, held: bytes) -> None:
        """Start on an earlier copy, as after a disk broke: whatever was booked since is not on it."""
        self.close()
        self.path.write_bytes(held)
        self.start()
        here = {name for (name,) in self.store.rows("SELECT id FROM journal")}
        self.lost += [receipt for receipt in self.printed if receipt.id not in here]
        self.printed = [receipt for receipt in self.printed if receipt.id in here]

    def move_disk(self) -> None:
        """Start on this disk in another machine: without an answer from head office in the next epoch."""
        self.close()
        self.start()
        Epochs(self.store).doubted(Doubt.COPIED)
        self.agent.before_selling()

    def clone(self, folder: Path, wire: httpx.BaseTransport) -> Counter:
        """A copy of this till's disk in another machine, which runs as well."""
        made = Counter(
            folder, self._url, wire=wire, timeout_s=self._timeout_s, now_ms=self._now_ms, steady_s=self._steady_s
        )
        made.path.write_bytes(self.copy_of_disk())
        made.printed, made.lost = list(self.printed), list(self.lost)
        made.start()
        return made

    def _files(self) -> list[Path]:
        """The database and its log. The log's index is made anew at every start after a crash."""
        return [path for path in (self.path, self.path.with_name(f"{self.path.name}-wal")) if path.exists()]

    def token(self, number: str) -> str:
        """The token of a card number, as journals and head office know it."""
        return CardNumber.parse(number, FORMATS).token(self.terminal.card_key)

    # -- at the counter -------------------------------------------------------------------------------------------

    def sell(self, session: str, card: str, *amounts: int, reward: str | None = None) -> Booked:
        """Book a sale, with a reward when one is asked for."""
        self.till.open_session(session)
        self.till.set_basket(session, basket(*amounts))
        self.till.identify(session, card)
        if reward is not None:
            self.till.redeem(session, reward)
        return self.print(self.till.bookings.commit(session))

    def void(self, session: str) -> Booked | None:
        """Take a sale back."""
        undone = self.till.bookings.void(session)
        return None if undone is None else self.print(undone)

    def take_back(self, name: str, session: str, lines: dict[str, int]) -> Booked:
        """Take goods back of a sale."""
        return self.print(self.till.corrections.return_goods(name, session, lines))

    def adjust(self, name: str, card: str, points: int) -> Booked:
        """Give or take points by hand."""
        made = self.till.corrections.adjust(name, card, points, reason="nagevraagd", approver="Wil")
        return self.print(made)

    def print(self, booked: Booked) -> Booked:
        """Hand over the receipt: from here on the booking is a promise."""
        receipt = Receipt.of(booked.entry)
        if receipt not in self.printed:
            self.printed.append(receipt)
        return booked

    # -- with head office -----------------------------------------------------------------------------------------

    def sync(self) -> SyncReport | None:
        """One round; None when it failed, which a till outlives."""
        try:
            return self.agent.run_once()
        except TransportError:
            return None

    def sync_patiently(self, tries: int = 50) -> SyncReport:
        """Rounds until one succeeds, as the agent's thread does with pauses between."""
        for _ in range(tries - 1):
            if report := self.sync():
                return report
        return self.agent.run_once()

    def check(self) -> None:
        """What holds at this till at every moment: the chain of each epoch, and every receipt in them."""
        head = self.journal.head()
        assert head.acked_seq <= head.seq
        heads = [(head.epoch, head.seq, head.digest)]
        heads += self.store.rows("SELECT epoch, seq, digest FROM closed_epoch")  # type: ignore[arg-type]
        held = set()
        for epoch, last, digest in heads:
            rows = self.store.rows("SELECT seq, id, raw FROM journal WHERE epoch = ? ORDER BY seq", (epoch,))
            assert [seq for seq, _, _ in rows] == list(range(1, last + 1))
            expect_head(GENESIS, [raw for _, _, raw in rows], digest)
            held |= {(epoch, seq, name) for seq, name, _ in rows}
        gone = [receipt for receipt in self.printed if (receipt.epoch, receipt.seq, receipt.id) not in held]
        assert not gone, f"printed and not in the journal: {gone}"
