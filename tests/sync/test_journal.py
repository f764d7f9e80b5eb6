"""The journal: numbered without gaps, chained, once per sale, and there after every acknowledged commit."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlcipher3.dbapi2 as sqlcipher
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from loyalty.basket import Basket
from loyalty.errors import BasketError
from loyalty.ledger import GENESIS, Entry, EntryKind, expect_head, follow
from loyalty.spending import Authority, AuthorityKind
from sync.epochs import Epochs
from sync.errors import StoreError, StoreFull
from sync.journal import Head, Journal
from sync.leases import LeaseSpent
from sync.store import Store
from tests.loyalty.build import line
from tests.support.missing import missing
from tests.sync.build import CARD, DAY, OTHER_CARD, draft, enrolled, void_of
from tests.sync.children import ROOT, WAIT_S, command, run


def raws(store: Store) -> list[bytes]:
    """The bytes of every entry, in order."""
    return [row[0] for row in store.rows("SELECT raw FROM journal ORDER BY epoch, seq")]


def test_the_first_entry(journal: Journal) -> None:
    assert journal.head() == Head(epoch=1, seq=0, digest=GENESIS, acked_seq=0)
    assert journal.tail() is None
    entry = journal.append(draft(1000, 250))
    assert (entry.terminal, entry.epoch, entry.seq, entry.points) == ("t-1", 1, 1, 12)
    assert journal.head().queued == 1


def test_what_is_stored_is_what_was_chained(store: Store, journal: Journal) -> None:
    for amount in (100, 250, 990):
        journal.append(draft(amount))
    expect_head(GENESIS, raws(store), journal.head().digest)
    for raw, row in zip(
        raws(store),
        store.rows("SELECT seq, id, session, kind, business_date, card, account, points, earned, spent FROM journal"),
        strict=True,
    ):
        entry = Entry.decode(raw)
        earned, spent = entry.settlement.points_earned, entry.settlement.points_spent
        assert row == (
            entry.seq, entry.id, entry.session, "sale", "2026-03-31", CARD, "m1", entry.points, earned, spent,
        )  # fmt: skip


def test_the_same_sale_is_booked_once(store: Store, journal: Journal) -> None:
    sale = draft()
    first = journal.append(sale)
    again = journal.append(replace(draft(5000), session=sale.session))
    assert again == first
    assert journal.head().seq == 1
    assert journal.find_all(session=sale.session).get(EntryKind.SALE) == first
    assert journal.find_all(session=sale.session).get(EntryKind.VOID) is None
    assert journal.find_all(session="another").get(EntryKind.SALE) is None


def test_a_void_follows_its_sale_once(journal: Journal) -> None:
    sale = journal.append(draft(2000))
    void = journal.append(void_of(sale))
    assert (void.seq, void.points, void.reverses) == (2, -20, sale.id)
    assert journal.append(void_of(sale)) == void
    assert journal.find_all(session=sale.session).get(EntryKind.SALE) == sale
    assert journal.find_all(session=sale.session).get(EntryKind.VOID) == void


def test_an_entry_that_cannot_be_written_leaves_no_gap(journal: Journal) -> None:
    sale = journal.append(draft())
    with pytest.raises(sqlcipher.IntegrityError):
        journal.append(draft(id=sale.id))  # a public name is given once
    large = Basket(lines=tuple(line(str(number), 1, text="€" * 80, category="€" * 64) for number in range(500)))
    with pytest.raises(BasketError, match="book it as two baskets"):
        journal.append(draft(basket=large))
    assert journal.head().seq == 1
    assert journal.append(draft()).seq == 2


def test_tail_and_acknowledge(journal: Journal) -> None:
    entries = [journal.append(draft()) for _ in range(5)]
    tail = journal.tail(3)
    assert tail is not None
    assert (tail.epoch, tail.from_seq, tail.previous) == (1, 1, GENESIS)
    assert tail.raws == tuple(entry.encode() for entry in entries[:3])
    journal.acknowledge(1, 2)
    tail = journal.tail()
    assert tail is not None
    assert (tail.from_seq, len(tail.raws)) == (3, 3)
    assert follow(tail.previous, tail.raws) == tail.digests[-1] == journal.head().digest
    journal.acknowledge(1, 5)
    assert journal.tail() is None
    assert journal.head().queued == 0


@pytest.mark.parametrize(("epoch", "seq"), [(1, 2), (1, 1), (1, 0), (1, 4), (1, 10**9), (2, 3), (0, 3)])
def test_an_acknowledgement_that_cannot_be_changes_nothing(journal: Journal, epoch: int, seq: int) -> None:
    """Lower, equal, past the head, of another epoch: head office may be restored, cloned or confused."""
    for _ in range(3):
        journal.append(draft())
    journal.acknowledge(1, 2)
    journal.acknowledge(epoch, seq)
    assert journal.head().acked_seq == 2


def test_a_journal_with_a_hole_is_not_sent(store: Store, journal: Journal) -> None:
    for _ in range(3):
        journal.append(draft())
    journal.acknowledge(1, 2)
    with store.transaction() as connection:
        connection.execute("DELETE FROM journal WHERE seq = 2")
    with pytest.raises(StoreError, match="entry 3 of epoch 1, or the one before it, is missing"):
        journal.tail()


def test_points_spent_on_a_day(journal: Journal) -> None:
    sale = journal.append(draft(2000, rewards=("five-off",)))
    journal.append(draft(2000, rewards=("five-off",), card=OTHER_CARD))
    journal.append(draft(2000, rewards=("five-off",), business_date=DAY + timedelta(days=1)))
    journal.append(draft(2000))
    assert journal.spent_on(DAY) == 100
    assert journal.spent_on(DAY, CARD) == 50
    assert journal.spent_on(DAY + timedelta(days=1)) == 50
    assert journal.spent_on(DAY - timedelta(days=1)) == 0
    journal.append(void_of(sale))
    assert journal.spent_on(DAY, CARD) == 0
    assert journal.spent_on(DAY) == 50


# -- a model: any order of appends, repeats, voids, acknowledgements and restarts --------------------------------------


class JournalMachine(RuleBasedStateMachine):
    """Drives a real store beside a list."""

    sales = Bundle("sales")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "till.db"
        self.entries: list[Entry] = []
        self.acked = 0

    @initialize()
    def start(self) -> None:
        self.store, self.journal = enrolled(self.path)

    @rule(target=sales, amount=st.integers(0, 5000), known=st.booleans())
    def sell(self, amount: int, known: bool) -> Entry:
        entry = self.journal.append(draft(amount, account="m1" if known else None))
        self.entries.append(entry)
        return entry

    @rule(sale=sales)
    def sell_again(self, sale: Entry) -> None:
        assert self.journal.append(draft(999, session=sale.session)) == sale

    @rule(sale=consumes(sales))
    def void(self, sale: Entry) -> None:
        entry = self.journal.append(void_of(sale))
        self.entries.append(entry)
        assert self.journal.append(void_of(sale)) == entry

    @rule(seq=st.integers(-1, 60))
    def acknowledge(self, seq: int) -> None:
        self.journal.acknowledge(1, seq)
        if self.acked < seq <= len(self.entries):
            self.acked = seq

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store, self.journal = enrolled(self.path)

    @invariant()
    def agrees_with_the_model(self) -> None:
        if not hasattr(self, "journal"):
            return
        head = self.journal.head()
        assert (head.seq, head.acked_seq) == (len(self.entries), self.acked)
        assert [entry.seq for entry in self.entries] == list(range(1, head.seq + 1))
        assert raws(self.store) == [entry.encode() for entry in self.entries]
        expect_head(GENESIS, raws(self.store), head.digest)
        tail = self.journal.tail(7)
        assert (tail.raws if tail else ()) == tuple(
            entry.encode() for entry in self.entries[self.acked : self.acked + 7]
        )
        proof = self.journal.proof(DAY)
        sent = self.entries[: self.acked]
        assert (proof.entries, proof.points_earned) == (len(sent), sum(entry.points for entry in sent))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
        self.folder.cleanup()


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


# -- kill -9 ----------------------------------------------------------------------------------------------------------

APPEND_FOR_EVER = """
import sys
from pathlib import Path
import uuid6
from tests.sync.build import draft, enrolled
store, journal = enrolled(Path(sys.argv[1]))
while True:
    entry = journal.append(draft(1000, 250, session=str(uuid6.uuid7())))
    print(entry.seq, entry.id, flush=True)
"""


def kill_in_the_middle(path: Path, after_lines: int) -> list[tuple[int, str]]:
    """Let a till append, kill it at some moment after `after_lines` entries; what it had acknowledged by then."""
    child = subprocess.Popen(command(APPEND_FOR_EVER, path), cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    out = b""
    deadline = time.monotonic() + WAIT_S
    while out.count(b"\n") < after_lines and time.monotonic() < deadline:
        assert select.select([child.stdout], [], [], WAIT_S)[0], "the till says nothing"
        out += os.read(child.stdout.fileno(), 65_536)
    child.send_signal(signal.SIGKILL)
    out += child.stdout.read()
    child.stdout.close()
    assert child.wait(WAIT_S) == -signal.SIGKILL
    *whole, _cut = out.decode().split("\n")
    return [(int(number), name) for number, name in (said.split() for said in whole)]


def test_kill_9_in_the_middle_of_appends_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    acknowledged: list[tuple[int, str]] = []
    for after_lines in (1, 7, 23, 60):
        acknowledged += kill_in_the_middle(path, after_lines)
        store, journal = enrolled(path)
        head = journal.head()
        found = store.rows("SELECT seq, id FROM journal ORDER BY seq")
        assert [seq for seq, _ in found] == list(range(1, head.seq + 1))
        assert set(acknowledged) <= set(found)
        # At most the one that was committed and not yet printed, for each kill so far.
        assert 0 <= head.seq - len(acknowledged) <= 4
        expect_head(GENESIS, raws(store), head.digest)
        store.close()
    assert len(acknowledged) >= 91


# -- disk full --------------------------------------------------------------------------------------------------------

FILL_A_SMALL_DISK = """
import errno, os, sys
from pathlib import Path
from loyalty.ledger import GENESIS, expect_head
from sync.errors import StoreFull
from tests.sync.build import draft, enrolled
disk = Path(sys.argv[1])
store, journal = enrolled(disk / "till.db")
ballast = disk / "ballast"
ballast.write_bytes(bytes(700_000))
booked, refused, said = [], 0, ""
while refused < 3:
    sale = draft(*[100] * 40)
    try:
        booked.append(journal.append(sale).session)
    except StoreFull as error:
        refused += 1
        said = str(error)
    assert len(booked) < 5000, "the disk never filled"
# Reading, and everything booked before, still works on the full disk.
assert journal.head().seq == len(booked)
ballast.unlink()
booked.append(journal.append(sale).session)  # the sale that was refused last, booked again after space was made
store.close()
store, journal = enrolled(disk / "till.db")
rows = store.rows("SELECT session, raw FROM journal ORDER BY seq")
assert [row[0] for row in rows] == booked
expect_head(GENESIS, [row[1] for row in rows], journal.head().digest)
store.close()
print(len(booked), said)
"""


def on_a_small_disk(disk: Path) -> list[str]:
    """The start of a command that runs the rest with a real file system of 2 MB at `disk`, for itself only."""
    disk.mkdir()
    mount = 'mount -t tmpfs -o size=2m tmpfs "$1" && shift && exec "$@"'
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    under = [*unshare, "sh", "-c", mount, "sh", str(disk)]
    if subprocess.run([*under, "true"], capture_output=True, check=False).returncode != 0:
        missing("no small disk can be mounted here, not even in a namespace: run the tests as root")
    return under


def test_a_full_disk_books_nothing_by_half(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    booked, said = run(FILL_A_SMALL_DISK, disk, before=on_a_small_disk(disk)).split(" ", 1)
    assert int(booked) > 10
    assert said.strip() == f"disk full, nothing was booked: free space on the disk of {disk} and book again"


START_ON_A_FULL_DISK = """
import sys
from pathlib import Path
from sync.errors import StoreUnusable
from sync.store import Store, read_key
from tests.sync.build import KEY, draft, enrolled
disk = Path(sys.argv[1])
store, journal = enrolled(disk / "till.db")
sale = journal.append(draft())
store.close()
with (disk / "ballast").open("wb", buffering=0) as ballast:
    try:
        while ballast.write(bytes(4096)):
            pass
    except OSError:
        pass
for attempt in (
    lambda: Store.open(disk / "till.db", KEY),
    lambda: Store.open(disk / "new.db", KEY),
    lambda: read_key(disk / "store.key", create=True),
):
    try:
        attempt()
    except StoreUnusable as error:
        print(error)
(disk / "ballast").unlink()
assert len(read_key(disk / "store.key", create=True)) == 32
store, journal = enrolled(disk / "till.db")
assert journal.find_all(session=sale.session).get("sale") == sale
store.close()
"""


def test_a_till_that_starts_on_a_full_disk_says_so(tmp_path: Path) -> None:
    """SQLite calls it an I/O error there, which would send a shop to support instead of to its files."""
    disk = tmp_path / "disk"
    said = run(START_ON_A_FULL_DISK, disk, before=on_a_small_disk(disk)).splitlines()
    full = "cannot be opened, the disk is full: free some space and start again"
    assert said == [
        f"database {disk / 'till.db'} {full}",
        f"database {disk / 'new.db'} {full}",
        f"database key {disk / 'store.key'} cannot be used: No space left on device; free some space",
    ]


def test_what_a_card_earned_on_a_day_counts_in_each_epoch(store: Store, journal: Journal) -> None:
    """A till that goes on in its next epoch in the middle of a day still knows the day's cap."""
    sale = journal.append(draft())
    Epochs(store).begin(2)
    journal.append(draft())
    journal.append(draft(card=OTHER_CARD))
    journal.append(draft(business_date=DAY + timedelta(days=1)))
    earned = sale.settlement.points_earned
    assert earned > 0
    assert journal.earned_on(DAY, CARD) == 2 * earned
    assert journal.earned_on(DAY, OTHER_CARD) == earned
    assert journal.earned_on(DAY - timedelta(days=1), CARD) == 0


def test_what_was_leased_in_an_epoch_that_was_left_is_not_spent(store: Store, journal: Journal) -> None:
    """The agent may begin an epoch between the reckoning of a sale and its booking."""
    with store.transaction() as connection:
        connection.execute("INSERT INTO lease VALUES ('a-lease', 'm1', 1, 100, 0, 9e15, NULL, 1)")
    leased = (Authority(kind=AuthorityKind.LEASE, id="a-lease", points=50),)
    journal.append(draft(500, rewards=("five-off",), authority=leased))
    Epochs(store).begin(2)
    with pytest.raises(LeaseSpent):
        journal.append(draft(500, rewards=("five-off",), authority=leased))
    assert (journal.head().seq, store.row("SELECT spent FROM lease")) == (0, (50,))


def test_full_by_the_databases_own_limit_books_nothing_by_half(store: Store, journal: Journal) -> None:
    (pages,) = store.row("PRAGMA page_count") or (0,)
    store._connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    booked = []
    with pytest.raises(StoreFull, match="nothing was booked"):
        for _ in range(1000):
            sale = draft(*[100] * 20)
            booked.append(journal.append(sale))
    assert 0 < len(booked) < 1000
    assert journal.head().seq == len(booked)
    expect_head(GENESIS, raws(store), journal.head().digest)
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert journal.append(sale).seq == len(booked) + 1
