"""Head office of a simulation: its own code on a real PostgreSQL, with simulated time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.cards import CardFormat, CheckDigit
from loyalty.ledger import GENESIS
from loyalty.programme import Programme
from pos_client.simulation.scenario import OPENING_POINTS, START
from sync.hq import leases, nightly
from sync.hq.database import Database
from sync.hq.enrolment import touch
from sync.hq.epochs import SUPERSEDED
from sync.hq.errors import Refused
from sync.hq.exposure import exposure
from sync.hq.feed_keeping import compact
from sync.hq.members import import_members
from sync.hq.programmes import publish
from sync.hq.snapshot import begin, parts
from sync.wire import EnrolAnswer, key_text
from sync.wire_mirror import SnapshotPart
from sync.wire_spending import Exposure

STORE_NAME = "Simulatie"
TILLS_A_STORE = 10
FORMATS = (CardFormat(name="card", prefix="29", length=13, check=CheckDigit.NONE),)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A terminal's name and key."""

    terminal: str
    key: Ed25519PrivateKey


def office_time(at_s: float) -> datetime:
    """The moment at `at_s` simulated seconds from the start."""
    return START + timedelta(seconds=at_s)


def card_number(member: int) -> str:
    """The number on a member's card."""
    return str(2_910_000_000_000 + member)


def _store(place: int) -> str:
    """The shop that the till at `place` stands in."""
    return f"s{place // TILLS_A_STORE:05d}"


class Office:
    """A head office with a programme and members. Close it."""

    def __init__(self, folder: Path, programme: Programme, members: int) -> None:
        """Start PostgreSQL in `folder`."""
        self.programme = programme
        self._folder = folder
        self._start()
        try:
            # Vacuumed when the simulation says so: a run must not depend on when the database feels like it.
            self.conn.execute("ALTER SYSTEM SET autovacuum = off")
            self.conn.execute("SELECT pg_reload_conf()")
            publish(self.conn, programme)
            lines = ["card_number,first_name,tier,points"]
            lines += [f"{card_number(member)},Lid {member},basic,{OPENING_POINTS}" for member in range(members)]
            import_members(self.conn, self.database.keys.card, FORMATS, lines, today=START.date())
        except BaseException:
            self.database.close()
            raise

    def _start(self) -> None:
        self.database = Database.open(None, self._folder)
        self.conn = psycopg.connect(self.database.url, autocommit=True)
        # Nothing here outlives the run: power cuts are proven elsewhere.
        self.conn.execute("SET synchronous_commit = off")

    def restart(self) -> None:
        """Stop head office and its PostgreSQL, and start both again on what is on the disk."""
        self.close()
        self._start()

    def enrol(self, terminals: Sequence[Enrolled]) -> None:
        """Take on all of `terminals` at once, as their one-time codes would one by one."""
        at = office_time(0)
        with self.conn.transaction(), self.conn.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO store (store_id, name) VALUES (%s, %s)",
                [(_store(place), STORE_NAME) for place in range(0, len(terminals), TILLS_A_STORE)],
            )
            with cursor.copy(
                "COPY terminal (terminal_id, store_id, name, public_key, software, enrolled_at, last_contact_at) "
                "FROM STDIN"
            ) as copy:
                for place, one in enumerate(terminals):
                    public = one.key.public_key().public_bytes_raw()
                    copy.write_row((one.terminal, _store(place), one.terminal, public, "simulated", at, at))
            with cursor.copy("COPY stream (terminal_id, epoch, durable_to, head_digest) FROM STDIN") as copy:
                for one in terminals:
                    copy.write_row((one.terminal, 1, 0, GENESIS))

    def welcome(self, terminal: str, place: int) -> EnrolAnswer:
        """What the terminal that was enrolled as number `place` was answered."""
        keys = self.database.keys
        return EnrolAnswer(
            terminal=terminal,
            epoch=1,
            store=_store(place),
            store_name=STORE_NAME,
            hq_public_key=key_text(keys.public),
            card_key=key_text(keys.card),
            server_time_ms=int(office_time(0).timestamp() * 1000),
        )

    def mirror(self, terminal: str) -> list[SnapshotPart]:
        """The snapshot that every till begins with."""
        return list(parts(self.database, terminal, begin(self.conn, "", "", ""), office_time(0)))

    def check_key(self, terminal: str, public_key: bytes, now: datetime) -> None:
        """What the signature of a request decides: whether this is the terminal's present key.

        Raises:
            Refused: 403 `superseded`.
        """
        row = self.conn.execute("SELECT public_key FROM terminal WHERE terminal_id = %s", (terminal,)).fetchone()
        if row is None or row[0] != public_key:
            raise Refused(403, "superseded", SUPERSEDED)
        touch(self.conn, terminal, now)

    def night(self, at_s: float) -> None:
        """Head office's own night."""
        now = office_time(at_s)
        # In the order of `spaarpunt hq nightly`: points that lapse may be those of leases that are over.
        leases.reclaim_due(self.conn, now)
        nightly.run(self.conn, self.database.programmes, now.date())
        leases.grant_anew(self.conn, self.programme.offline, now)
        self.keep_feed_short()
        self.conn.execute("VACUUM (ANALYZE)")

    def keep_feed_short(self) -> None:
        """Drop what later rows of the feed replace."""
        compact(self.conn)

    def exposed(self, at_s: float) -> Exposure:
        """The worst joint overspend that the policy allows."""
        return exposure(self.conn, self.programme.offline, office_time(at_s))

    def close(self) -> None:
        """Stop PostgreSQL."""
        self.conn.close()
        self.database.close()
