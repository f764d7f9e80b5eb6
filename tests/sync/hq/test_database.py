"""Opening head office: schema, keys, and one clear line when it cannot be."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sync.hq.database import Connection, Database
from sync.hq.embedded import EmbeddedPostgres
from sync.hq.errors import HqError
from sync.hq.programmes import newest, publish
from tests.support.entries import programme


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hq-"))
    yield made
    shutil.rmtree(made)


def test_several_processes_may_open_a_new_database_at_once(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("CREATE DATABASE fresh")
    url = make_conninfo(postgres, dbname="fresh")
    with ThreadPoolExecutor() as pool:
        opened = list(pool.map(lambda _: Database(url), range(4)))
    assert len({database.keys.public for database in opened}) == 1
    assert len({database.keys.card for database in opened}) == 1
    assert "signing" not in repr(opened[0].keys)
    for database in opened:
        database.close()
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("DROP DATABASE fresh WITH (FORCE)")


def test_a_schema_of_a_newer_version_is_left_alone(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("CREATE DATABASE newer TEMPLATE hq_tests")
    database_url = make_conninfo(postgres, dbname="newer")
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("INSERT INTO migration (number) VALUES (9999)")
    with pytest.raises(HqError, match=r"schema step 9999, this software knows up to .*: start the newer version"):
        Database(database_url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://till:secret@127.0.0.1:1/hq", "'hq' on 127.0.0.1:1 cannot be reached: Connection refused"),
        ("no address", "expected hq.database_url such as"),
    ],
)
def test_no_database_there(url: str, expected: str, folder: Path) -> None:
    with pytest.raises(HqError) as caught:
        Database.open(url, folder)
    assert expected in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_embedded_server_is_shared_and_stops_with_its_last_user(folder: Path) -> None:
    closed_to_others = folder / "private"
    closed_to_others.mkdir(mode=0o700)
    first = Database.open(None, closed_to_others / "data")
    second = Database.open(None, closed_to_others / "data")
    assert first.keys.public == second.keys.public
    pid_file = closed_to_others / "data" / "postgres" / "postmaster.pid"
    first.close()
    first.close()
    with second.connection() as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
        assert conn.execute("SHOW unix_socket_permissions").fetchone() == ("0700",)
    assert pid_file.exists()
    second.close()
    assert not pid_file.exists()
    # Nobody but root's helper user may pass, and nobody may list.
    assert closed_to_others.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)


def test_a_killed_user_does_not_keep_the_server_running(folder: Path) -> None:
    first = EmbeddedPostgres(folder)
    pids = folder / "postgres" / ".handle_pids.json"
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    pids.write_text(f"[{os.getpid()}, {gone}]")  # what a process leaves behind that was killed
    second = EmbeddedPostgres(folder)
    first.close()
    second.close()
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_a_folder_that_cannot_be_used(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(HqError, match=r"does not start: .*; choose another hq\.data_dir"):
        Database.open(None, folder / "file" / "data")


def test_programmes_rise(database: Database, conn: Connection) -> None:
    publish(conn, programme(3))
    assert newest(conn) == programme(3)
    assert database.programmes.get(conn, 1) == programme(1)
    assert database.programmes.get(conn, 2) is None
    assert database.programmes.get(conn, 10**30) is None
    for version in (1, 2, 3):
        with pytest.raises(HqError, match=f"expected a version above 3, which is the last published, got {version}"):
            publish(conn, programme(version))
    other = programme(4).model_copy(update={"id": "other"})
    with pytest.raises(HqError, match="expected programme 'spaarpunt'"):
        publish(conn, other)
    assert conn.execute("SELECT array_agg(key ORDER BY position) FROM feed").fetchone() == (["1", "3"],)
