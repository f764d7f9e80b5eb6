"""The till's file: its key, who may open it, and the settings that durability rests on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlcipher3.dbapi2 as sqlcipher

from loyalty.ledger import EntryKind
from sync.checkpoints import COMMITS
from sync.errors import StoreError, StoreFull, StoreTaken, StoreUnusable
from sync.store import Store, connect, read_key
from tests.sync.build import KEY, account, card, draft, enrolled, hear, journal_of
from tests.sync.children import NOBODY, ROOT, command, run, run_until_killed

ONE_CLEAR_LINE = re.compile(r"^[^\n]{20,400}$")


def contents(folder: Path) -> dict[str, str]:
    """Name and digest of each database file (the shared-memory index is rebuilt from the log and holds no data)."""
    files = sorted(folder.glob("till.db*"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.suffix != ".db-shm"}


# -- the key ----------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "store.key"
    key = read_key(path, create=True)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path, create=True) == key
    assert read_key(path, create=False) == key
    assert [file.name for file in path.parent.iterdir()] == ["store.key"]


def test_a_key_half_written_before_a_crash_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "store.key"
    (tmp_path / "store.key.new").write_text("0123")
    assert len(read_key(path, create=True)) == 32


def test_two_keys_differ(tmp_path: Path) -> None:
    assert read_key(tmp_path / "a", create=True) != read_key(tmp_path / "b", create=True)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "expected 64 hex digits, got 0"),
        ("00" * 31, "expected 64 hex digits, got 62"),
        ("00" * 33, "expected 64 hex digits, got 66"),
        ("zz" * 32, "is not a key: expected 64 hex digits"),
        ("é" * 64, "is not a key: expected 64 hex digits"),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "store.key"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(StoreUnusable) as caught:
        read_key(path, create=True)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)
    assert not content or content not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "store.key"
    read_key(path, create=True)
    path.chmod(mode)
    with pytest.raises(StoreUnusable, match="can be read by others: run chmod 600 "):
        read_key(path, create=False)


def test_a_missing_key_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="is missing: put it back, or enrol this till again"):
        read_key(tmp_path / "store.key", create=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreUnusable, match="cannot be used: Is a directory"):
        (tmp_path / "folder").mkdir(0o700)
        read_key(tmp_path / "folder", create=False)


# -- settings ---------------------------------------------------------------------------------------------------------


def test_the_settings_are_in_force(store: Store) -> None:
    """The gate for durability: with synchronous=NORMAL (1) a power cut loses commits that were reported as done.

    Asked of the one connection that writes, inside and outside a transaction, and not only set at some time.
    """
    with store.transaction() as connection:
        assert connection is store._connection
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    for setting, value in (
        ("synchronous", 2),
        ("journal_mode", "wal"),
        ("foreign_keys", 1),
        ("busy_timeout", 5000),
        ("journal_size_limit", 64 * 1024 * 1024),
    ):
        assert store.row(f"PRAGMA {setting}") == (value,), setting
    assert store.row("PRAGMA cipher_version") is not None
    version = tuple(int(part) for part in sqlcipher.sqlite_version.split("."))
    assert version >= (3, 51, 3), "older ones can corrupt a write-ahead log that two connections reset"


def test_a_transaction_that_need_not_be_flushed_leaves_the_setting_as_it_was(store: Store) -> None:
    for fails in (False, True):
        with contextlib.suppress(ZeroDivisionError), store.transaction(flushed=False) as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
            assert 1 / (1 - fails)
        with store.transaction() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_nothing_of_a_member_can_be_read_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    store, journal = enrolled(path)
    hear(store, account(1234, first_name="Wilhelmina"), card())
    journal.append(draft(session="a session with a name"))
    for when in ("in the log", "in the file"):
        raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"Wilhelmina" not in raw, when
        assert b"a session with a name" not in raw, when
        assert b"SQLite format 3" not in raw, when
        assert len(raw) > 10_000, when
        if when == "in the log":
            store.close()


# -- opening ----------------------------------------------------------------------------------------------------------


def test_a_wrong_key_leaves_every_byte_as_it_was(tmp_path: Path) -> None:
    store, journal = enrolled(tmp_path / "till.db")
    sale = journal.append(draft())
    store.close()
    before = contents(tmp_path)
    for attempt in (Store.open, Store.look):
        with pytest.raises(StoreUnusable, match="does not open with this key: put the right key file back"):
            attempt(tmp_path / "till.db", bytes(32))
    assert contents(tmp_path) == before
    store, journal = enrolled(tmp_path / "till.db")
    assert journal.find_all(session=sale.session).get(EntryKind.SALE) == sale
    store.close()


CRASH = """
import os, signal, sys
from pathlib import Path
from tests.sync.build import draft, enrolled
store, journal = enrolled(Path(sys.argv[1]))
for number in range(5):
    journal.append(draft(session=f"s{number}"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_wrong_key_after_a_crash_leaves_the_log_alone_too(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    run_until_killed(CRASH, path)
    assert (tmp_path / "till.db-wal").stat().st_size > 0
    before = contents(tmp_path)
    with pytest.raises(StoreUnusable, match="does not open with this key"):
        Store.open(path, bytes(32))
    assert contents(tmp_path) == before
    store, journal = enrolled(path)
    assert journal.head().seq == 5
    store.close()


WRONG_KEY = """
import sys
from pathlib import Path
from sync.errors import StoreUnusable
from sync.store import Store
try:
    Store.open(Path(sys.argv[1]), bytes(32))
except StoreUnusable as error:
    print(error)
"""


def test_a_wrong_key_is_one_line_without_the_librarys_own(tmp_path: Path) -> None:
    enrolled(tmp_path / "till.db")[0].close()
    done = subprocess.run(
        command(WRONG_KEY, tmp_path / "till.db"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert ONE_CLEAR_LINE.match(done.stdout.strip())


@pytest.mark.parametrize("rubbish", [b"x" * 5000, b"SQLite format 3\0" + bytes(4080), os.urandom(8192)])
def test_what_is_no_database_is_refused_and_kept(tmp_path: Path, rubbish: bytes) -> None:
    path = tmp_path / "till.db"
    path.write_bytes(rubbish)
    with pytest.raises(StoreUnusable, match=r"nothing in it is lost|keep the file"):
        Store.open(path, KEY)
    assert path.read_bytes() == rubbish


def test_a_damaged_page_is_noticed_at_start(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    store, journal = enrolled(path)
    for _ in range(40):
        journal.append(draft())
    store.close()
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0x40
    path.write_bytes(raw)
    with pytest.raises(StoreUnusable, match="keep the file"):
        Store.open(path, KEY)
    assert path.read_bytes() == raw


def test_a_second_till_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    store, _ = enrolled(tmp_path / "till.db")
    with pytest.raises(StoreTaken, match=f"another till already runs on {tmp_path}"):
        Store.open(tmp_path / "till.db", KEY)
    store.close()
    enrolled(tmp_path / "till.db")[0].close()


def test_a_failed_start_does_not_keep_the_folder(tmp_path: Path) -> None:
    enrolled(tmp_path / "till.db")[0].close()
    with pytest.raises(StoreUnusable):
        Store.open(tmp_path / "till.db", bytes(32))
    enrolled(tmp_path / "till.db")[0].close()


def test_a_killed_till_does_not_keep_the_folder(tmp_path: Path) -> None:
    run_until_killed(CRASH, tmp_path / "till.db")
    enrolled(tmp_path / "till.db")[0].close()


READ_ONLY = """
import importlib.metadata, os, sys
from pathlib import Path
import sqlite_utils, sync.migrations, sync.store
sqlite_utils.Database(memory=True)  # all code is loaded while we may still read it
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    sync.store.Store.open(Path(sys.argv[1]), bytes(range(100, 132)))
except sync.store.StoreUnusable as error:
    print(error)
"""


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that a user without rights can reach: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="spaarpunt-open-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_read_only_folder_is_one_clear_line(passable: Path) -> None:
    folder = passable / "data"
    folder.mkdir(mode=0o555)
    said = run(READ_ONLY, folder / "till.db").strip()
    assert said == f"data folder {folder} cannot be written: Permission denied; give the till's user this folder"


def test_a_database_of_somebody_else_is_one_clear_line(passable: Path) -> None:
    folder = passable / "data"
    folder.mkdir()
    enrolled(folder / "till.db")[0].close()
    before = contents(folder)
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o777)
    (folder / "till.lock").chmod(0o666)
    said = run(READ_ONLY, folder / "till.db").strip()
    assert said.startswith(f"database {folder / 'till.db'} cannot be written: ")
    assert ONE_CLEAR_LINE.match(said)
    assert contents(folder)["till.db"] == before["till.db"]


# -- beside a running till --------------------------------------------------------------------------------------------


def test_looking_beside_a_writer_sees_what_is_committed_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    store, journal = enrolled(path)
    beside = Store.look(path, KEY)
    sale = journal.append(draft())
    assert beside.row("SELECT id FROM journal") == (sale.id,)
    with store.transaction() as connection:
        connection.execute("DELETE FROM card")
        connection.execute("UPDATE head SET acked_seq = 1")
        assert beside.row("SELECT acked_seq FROM head") == (0,)
    assert beside.row("SELECT acked_seq FROM head") == (1,)
    with pytest.raises(StoreError), beside.transaction() as connection:
        connection.execute("DELETE FROM journal")
    assert store.row("SELECT count(*) FROM journal") == (1,)
    beside.close()
    store.close()


def test_looking_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match=r"no till database at .*: enrol this till, or check till\.data_dir"):
        Store.look(tmp_path / "till.db", KEY)
    assert list(tmp_path.iterdir()) == []


# -- transactions -----------------------------------------------------------------------------------------------------


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError, match="half way"), store.transaction() as connection:
        connection.execute("INSERT INTO card VALUES ('x', 'm1', 0)")
        raise RuntimeError("half way")
    assert store.row("SELECT count(*) FROM card") == (0,)
    with store.transaction() as connection:
        connection.execute("INSERT INTO card VALUES ('x', 'm1', 0)")
    assert store.row("SELECT count(*) FROM card") == (1,)


def test_a_transaction_within_a_transaction_is_refused_and_undone(store: Store) -> None:
    with pytest.raises(StoreError), store.transaction() as connection:
        connection.execute("INSERT INTO card VALUES ('x', 'm1', 0)")
        with store.transaction():
            pass
    assert store.row("SELECT count(*) FROM card") == (0,)


def test_threads_write_one_after_another(store: Store) -> None:
    def add(who: int) -> None:
        for number in range(20):
            with store.transaction() as connection:
                (count,) = connection.execute("SELECT count(*) FROM card").fetchone()
                connection.execute("INSERT INTO card VALUES (?, 'm1', ?)", (f"{who}-{number}", count))

    threads = [threading.Thread(target=add, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Each saw the count that the one before left: no two wrote at once.
    assert store.rows("SELECT blocked FROM card ORDER BY blocked") == [(number,) for number in range(80)]


def test_another_process_holding_the_file_for_long_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "till.db"
    store, _ = enrolled(path)
    store._connection.execute("PRAGMA busy_timeout = 50")
    other = connect(path, KEY)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"nothing was booked, .*locked"), store.transaction():
        pass
    other.execute("ROLLBACK")
    other.close()
    with store.transaction():
        pass
    store.close()


def test_full_by_the_databases_own_limit(store: Store) -> None:
    (pages,) = store.row("PRAGMA page_count") or (0,)
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull, match="disk full, nothing was booked: free space"), store.transaction() as connection:
        connection.execute("INSERT INTO card VALUES (?, 'm1', 0)", ("x" * 100_000,))
    assert store.row("SELECT count(*) FROM card") == (0,)
    store._connection.execute("PRAGMA max_page_count = 1000000")
    with store.transaction() as connection:
        connection.execute("INSERT INTO card VALUES (?, 'm1', 0)", ("x" * 100_000,))


MIGRATE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from sqlite_utils import Database
from sync.migrations import migrations, m001_first
from sync.store import Store
steps = [migrations._migrations[0]]
whole = steps[0].fn
def dies(db):
    whole(db)
    os.kill(os.getpid(), signal.SIGKILL)
steps[0].fn = dies
Store.open(Path(sys.argv[1]), bytes(range(100, 132)))
"""


def test_a_till_killed_while_it_makes_its_tables_starts_afresh(tmp_path: Path) -> None:
    run_until_killed(MIGRATE_AND_DIE, tmp_path / "till.db")
    store, journal = enrolled(tmp_path / "till.db")
    assert journal.append(draft()).seq == 1
    store.close()


def test_the_user_without_rights_is_really_without() -> None:
    if os.geteuid() == 0:
        code = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534); print(os.geteuid())"
        assert run(code).strip() == str(NOBODY)


# -- the log and long reads -------------------------------------------------------------------------------------------


def test_the_log_is_folded_into_the_file_beside_the_sales(tmp_path: Path) -> None:
    store, journal = enrolled(tmp_path / "till.db")
    before = store.path.stat().st_size
    for _ in range(COMMITS):
        journal.append(draft())
    deadline = time.monotonic() + 30
    while store.path.stat().st_size == before:
        assert time.monotonic() < deadline, "nothing was folded into the file"
        time.sleep(0.01)
    store.close()
    assert not store.path.with_name("till.db-wal").exists()
    with contextlib.closing(Store.open(store.path, KEY)) as again:
        assert journal_of(again).head().seq == COMMITS


def test_a_long_read_sees_what_is_committed_and_holds_up_no_sale(store: Store) -> None:
    """The read is under way, inside another thread's sale, and sees only what was there before it."""
    journal = journal_of(store)
    journal.append(draft())
    with store.transaction() as connection:
        connection.execute("UPDATE head SET acked_seq = 1")
        seen: list[list[tuple[int]]] = []
        reader = threading.Thread(target=lambda: seen.append(store.rows_beside("SELECT acked_seq FROM head")))
        reader.start()
        reader.join(30)
        assert seen == [[(0,)]]
    assert store.rows_beside("SELECT acked_seq FROM head") == [(1,)]
    with pytest.raises(StoreError):
        store.rows_beside("DELETE FROM journal")


@pytest.mark.parametrize(
    "look_up",
    [
        "SELECT raw FROM journal WHERE session = 's' AND kind = 'sale'",
        "SELECT raw FROM journal WHERE id = 'x'",
        "SELECT sum(earned) FROM journal "
        "WHERE epoch IN (SELECT epoch FROM head UNION ALL SELECT epoch FROM closed_epoch) "
        "AND business_date = '2026-03-31' AND card = 'c'",
        "SELECT sum(points) FROM journal WHERE account = 'a' AND (epoch, seq) > (1, 5)",
        "SELECT sum(points) FROM own_word WHERE business_date = '2026-03-31' AND card = 'c'",
        "SELECT raw FROM journal WHERE epoch = 1 AND seq >= 5 ORDER BY seq LIMIT 500",
        "SELECT raw FROM journal WHERE spent <> 0 AND (epoch, seq) > (1, 5)",
        "SELECT DISTINCT epoch, business_date FROM journal ORDER BY 1, 2",
        "SELECT raw FROM journal WHERE epoch = 1 AND kind = 'adjustment' AND points = 0 ORDER BY seq",
    ],
)
def test_no_look_up_reads_the_whole_journal(store: Store, look_up: str) -> None:
    plan = [row[3] for row in store.rows(f"EXPLAIN QUERY PLAN {look_up}")]
    searched = [step for step in plan if re.search(r"\b(journal|own_word)\b", step)]
    assert searched, plan
    assert all("INDEX" in step for step in searched), plan
