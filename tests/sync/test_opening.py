"""Backups, copies and damaged files: found at start, nothing overwritten, nothing lost that can be read."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from loyalty.ledger import GENESIS
from sync.backups import KEPT, back_up, backups, restore
from sync.epochs import Doubt, Epochs
from sync.errors import StoreDamaged, StoreFull, StoreTaken, StoreUnusable
from sync.opening import Opened, open_till
from sync.store import Store
from tests.support.small_disk import small_disk
from tests.sync.build import KEY, account, card, draft, enrolled, hear, journal_of
from tests.sync.children import run

NOON = 1_790_000_000_000
DAY_MS = 86_400_000


def made(path: Path, sales: int, acked: int) -> list[bytes]:
    """A till's file with `sales` entries, of which head office has `acked`; returns their bytes."""
    store, journal = enrolled(path)
    hear(store, account(100), card())
    for _ in range(sales):
        journal.append(draft())
    journal.acknowledge(1, acked)
    raws = [row[0] for row in store.rows("SELECT raw FROM journal ORDER BY seq")]
    store.close()
    return raws


def damage(path: Path, page: int) -> None:
    """Turn one bit of a page of 4096 bytes."""
    raw = bytearray(path.read_bytes())
    raw[page * 4096 + 1000] ^= 0x10
    path.write_bytes(raw)


def waiting(opened: Opened) -> dict[int, bytes]:
    """Every entry that waits for head office, by sequence."""
    found = {}
    journal = journal_of(opened.store)
    while tail := journal.tail(1):
        found[tail.from_seq] = tail.raws[0]
        journal.acknowledge(tail.epoch, tail.from_seq)
    return found


# -- damage -----------------------------------------------------------------------------------------------------------


def test_a_whole_file_is_opened_as_it_is(tmp_path: Path) -> None:
    made(tmp_path / "till.db", 3, 1)
    opened = open_till(tmp_path / "till.db", KEY)
    assert opened.salvaged is None
    assert Epochs(opened.store).doubt() is None
    opened.store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["till.db", "till.lock"]


def test_every_page_may_be_damaged(tmp_path: Path) -> None:
    """One page after another: whatever can be read is carried over, in order, with its bytes; the rest is counted."""
    folder = tmp_path / "whole"
    raws = made(folder / "till.db", 60, 20)
    back_up(folder / "till.db", KEY, NOON)  # every till has one from its enrolment on
    pages = (folder / "till.db").stat().st_size // 4096
    epochs = set()
    unreadable = 0
    for page in range(1, pages):
        place = tmp_path / str(page)
        shutil.copytree(folder, place)
        damage(place / "till.db", page)
        before = hashlib.sha256((place / "till.db").read_bytes()).digest()
        try:
            opened = open_till(place / "till.db", KEY)
        except StoreUnusable as error:  # the page says where the tables are: only a backup helps
            assert "put a backup back: spaarpunt sync restore" in str(error)
            assert hashlib.sha256((place / "till.db").read_bytes()).digest() == before
            unreadable += 1
            continue
        if opened.salvaged is None:  # a page that nothing uses
            opened.store.close()
            continue
        report = opened.salvaged
        assert hashlib.sha256(report.aside.read_bytes()).digest() == before
        head = journal_of(opened.store).head()
        found = waiting(opened)
        assert all(raws[seq - 1] == raw for seq, raw in found.items())
        if report.new_epoch:
            assert (head.epoch, head.seq, head.digest) == (2, 0, GENESIS)
            assert Epochs(opened.store).doubt() is Doubt.SALVAGED
            assert report.lost is None or report.waiting + report.lost == 40
        else:
            assert (head.epoch, head.seq, head.queued) == (1, 60, 40)
            assert sorted(found) == list(range(21, 61))
            assert (report.waiting, report.lost) == (40, 0)
        (notice,) = Epochs(opened.store).notices()
        assert report.aside.name in notice.text
        epochs.add(head.epoch)
        sold = journal_of(opened.store).append(draft())
        assert (sold.epoch, sold.seq) == (head.epoch, head.seq + 1)
        opened.store.close()
    assert epochs == {1, 2}  # both kinds of damage were among them
    assert unreadable < pages / 10


def test_damage_before_what_waits_keeps_epoch_and_numbers(tmp_path: Path) -> None:
    made(tmp_path / "till.db", 5, 2)
    store, _ = enrolled(tmp_path / "till.db")
    with store.transaction() as connection:
        connection.execute("DELETE FROM journal WHERE seq = 1")  # was acknowledged long ago
    store.close()
    opened = open_till(tmp_path / "till.db", KEY)
    assert opened.salvaged is None
    opened.store.close()


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("DELETE FROM journal WHERE seq = 4", [3, 5]),
        ("UPDATE journal SET digest = zeroblob(32) WHERE seq = 4", [3, 4, 5]),
        ("DELETE FROM journal WHERE seq = 5", [3, 4]),
        ("DELETE FROM journal WHERE seq = 2", [3, 4, 5]),
        ("UPDATE head SET digest = zeroblob(32)", [3, 4, 5]),
    ],
)
def test_a_chain_that_does_not_hold_goes_on_in_a_new_epoch(tmp_path: Path, change: str, left: list[int]) -> None:
    raws = made(tmp_path / "till.db", 5, 2)
    store, _ = enrolled(tmp_path / "till.db")
    with store.transaction() as connection:
        connection.execute(change)
    store.close()
    with pytest.raises(StoreDamaged, match="is damaged"):
        Store.open(tmp_path / "till.db", KEY)
    opened = open_till(tmp_path / "till.db", KEY)
    assert opened.salvaged is not None
    assert opened.salvaged.new_epoch
    assert opened.salvaged.lost == 3 - len(left)
    assert journal_of(opened.store).head().epoch == 2
    assert waiting(opened) == {seq: raws[seq - 1] for seq in left}
    opened.store.close()
    again = open_till(tmp_path / "till.db", KEY)
    assert again.salvaged is None
    again.store.close()


def test_who_the_till_is_comes_from_a_backup_when_the_file_does_not_say(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    made(path, 3, 0)
    back_up(path, KEY, NOON)
    store, _ = enrolled(path)
    with store.transaction() as connection:
        connection.execute("DELETE FROM journal WHERE seq = 2")
        connection.execute("DROP TABLE terminal")
    store.close()
    opened = open_till(path, KEY)
    assert opened.salvaged is not None
    assert opened.store.row("SELECT terminal FROM terminal") == ("t-1",)
    assert sorted(waiting(opened)) == [1, 3]
    opened.store.close()


def test_a_file_that_says_nothing_is_kept_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    made(path, 3, 0)
    store, _ = enrolled(path)
    with store.transaction() as connection:
        connection.execute("DELETE FROM journal WHERE seq = 2")
        connection.execute("DROP TABLE terminal")
    store.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnusable, match="who this till is cannot be read"):
        open_till(path, KEY)
    assert path.read_bytes() == before
    with pytest.raises(StoreUnusable, match="does not open with this key"):
        open_till(path, bytes(32))


KILLED = """
import os, signal, sys
from pathlib import Path
import sync.backups, sync.opening
step = int(sys.argv[2])
real = os.fsync
def counted(descriptor):
    global step
    step -= 1
    if step == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
os.fsync = counted
sync.opening.open_till(Path(sys.argv[1]), bytes(range(100, 132))).store.close()
"""


def test_a_salvage_that_is_killed_is_done_again_or_finished(tmp_path: Path) -> None:
    raws = made(tmp_path / "whole" / "till.db", 5, 2)
    store, _ = enrolled(tmp_path / "whole" / "till.db")
    with store.transaction() as connection:
        connection.execute("DELETE FROM journal WHERE seq = 4")
    store.close()
    for step in range(1, 6):
        place = tmp_path / str(step)
        shutil.copytree(tmp_path / "whole", place)
        killed = False
        try:
            run(KILLED, place / "till.db", step)
        except AssertionError:
            killed = True
        assert killed or step > 3
        opened = open_till(place / "till.db", KEY)
        assert waiting(opened) == {3: raws[2], 5: raws[4]}
        assert len(list(place.glob("till.damaged-*.db"))) == 1
        opened.store.close()


# -- copies and backups -----------------------------------------------------------------------------------------------


def doubt_at_start(path: Path) -> Doubt | None:
    opened = open_till(path, KEY)
    found = Epochs(opened.store).doubt()
    opened.store.close()
    return found


def test_a_file_that_was_copied_is_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    made(path, 1, 0)
    assert [doubt_at_start(path), doubt_at_start(path)] == [None, None]
    shutil.copy(path, tmp_path / "usb")
    (tmp_path / "usb").replace(path)
    assert doubt_at_start(path) is Doubt.COPIED
    assert doubt_at_start(path) is Doubt.COPIED  # until head office has said how far it has it


def test_a_backup_is_made_beside_sales_kept_for_a_week_and_in_doubt_when_put_back(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    made(path, 3, 0)
    store = open_till(path, KEY).store
    for night in range(KEPT + 2):
        backup = back_up(path, KEY, NOON + night * DAY_MS)
        journal_of(store).append(draft())
    assert backup.path.stat().st_mode & 0o077 == 0
    assert b"SQLite" not in backup.path.read_bytes()
    assert backups(path)[0].path == backup.path
    assert len(backups(path)) == KEPT
    with pytest.raises(StoreTaken):
        restore(path, KEY, backup.path, NOON)
    store.close()
    aside = restore(path, KEY, backup.path, NOON)
    assert aside is not None
    with_all = Store.look(aside, KEY)
    assert with_all.row("SELECT count(*) FROM journal") == (3 + KEPT + 2,)
    with_all.close()
    opened = open_till(path, KEY)
    assert Epochs(opened.store).doubt() is Doubt.RESTORED
    assert journal_of(opened.store).head().seq == 3 + KEPT + 1
    opened.store.close()


def test_what_is_no_backup_is_not_restored(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    made(path, 1, 0)
    before = path.read_bytes()
    (tmp_path / "rubbish.db").write_bytes(os.urandom(8192))
    for wrong, text in ((tmp_path / "rubbish.db", "does not open"), (tmp_path / "none.db", "no backup at")):
        with pytest.raises(StoreUnusable, match=text):
            restore(path, KEY, wrong, NOON)
    assert path.read_bytes() == before


def test_a_backup_without_space_leaves_everything_as_it_was() -> None:
    with small_disk(2) as disk:
        path = disk / "till.db"
        made(path, 3, 0)
        (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - 65_536))
        with pytest.raises(StoreFull, match="no space for a backup"):
            back_up(path, KEY, NOON)
        assert backups(path) == ()
        assert not list(disk.rglob("*.part"))
        store, journal = enrolled(path)
        assert journal.head().seq == 3
        store.close()
