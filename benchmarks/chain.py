"""Head office of a chain, as its users run it: the real command as a process, members and terminals in its database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.ledger import GENESIS
from sync.hq.database import Connection
from sync.hq.programmes import publish
from tests.support.entries import programme

DEADLINE_S = 120


def card_of(member: int) -> str:
    """The token of a member's card."""
    return f"{member:032x}"


def account_of(member: int) -> str:
    """A member's account."""
    return f"m{member:016x}"


def populate(conn: Connection, members: int, keys: Mapping[str, Ed25519PrivateKey]) -> None:
    """Fill an empty database: members with a card each, and terminals by id, enrolled with these keys."""
    publish(conn, programme())
    with conn.transaction(), conn.cursor() as cursor:
        cursor.execute(
            "INSERT INTO account (account_id, tier) "
            "SELECT 'm' || lpad(to_hex(n), 16, '0'), 'basic' FROM generate_series(0, %s - 1) n",
            (members,),
        )
        cursor.execute(
            "INSERT INTO card (token, account_id) "
            "SELECT lpad(to_hex(n), 32, '0'), 'm' || lpad(to_hex(n), 16, '0') FROM generate_series(0, %s - 1) n",
            (members,),
        )
        cursor.executemany(
            "INSERT INTO terminal (terminal_id, store_id, name, public_key, software, enrolled_at, "
            "last_contact_at) VALUES (%s, 's01', %s, %s, 'bench', now(), now())",
            [(terminal, terminal, key.public_key().public_bytes_raw()) for terminal, key in keys.items()],
        )
        cursor.executemany(
            "INSERT INTO stream (terminal_id, epoch, head_digest) VALUES (%s, 1, %s)",
            [(terminal, GENESIS) for terminal in keys],
        )
    conn.execute("ANALYZE")


@contextmanager
def head_office(folder: Path, workers: int, *, only_idle: bool = False) -> Iterator[tuple[int, psutil.Process]]:
    """The real command on the database in `folder`; yields its port and process.

    Args:
        only_idle: it runs only when nothing else wants the processor (chrt(1)).
    """
    command = [*(["chrt", "--idle", "0"] if only_idle else []), sys.executable]
    command += ["-c", "from pos_client.cli import main; main()"]
    command += ["hq", "serve", "--port", "0", "--data", str(folder), "--workers", str(workers)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        yield int(line.rsplit(":", 1)[-1]), psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait(DEADLINE_S)


def postmaster(conn: Connection) -> psutil.Process:
    """The process that runs the database's server, and starts all its others."""
    row = conn.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    found = psutil.Process(row[0]).parent()
    assert found is not None
    return found
