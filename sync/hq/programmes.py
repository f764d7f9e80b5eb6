"""Published programme versions: added in rising order, never changed, read back parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from loyalty.programme import Programme
from sync.hq.errors import HqError

if TYPE_CHECKING:
    from sync.hq.database import Connection

log = structlog.get_logger("spaarpunt.hq")

_PUBLISH_LOCK = 0x5350_4747
"""Advisory lock, so that two publishers cannot both find themselves the newest."""


class Programmes:
    """Versions by number. A published version never changes, so each is parsed once."""

    def __init__(self) -> None:
        self._parsed: dict[int, Programme] = {}

    def get(self, conn: Connection, version: int) -> Programme | None:
        """The programme of `version`, or None when it was never published, or by software newer than this."""
        if version not in self._parsed:
            row = conn.execute("SELECT document FROM programme WHERE version = %s::numeric", (version,)).fetchone()
            if row is None:
                return None
            try:
                self._parsed[version] = Programme.model_validate(row[0])
            except ValidationError:
                log.warning("a published programme cannot be read: update head office", version=version)
                return None
        return self._parsed[version]

    def newest(self, conn: Connection) -> Programme | None:
        """The version in force, or None before the first, or when it cannot be read here."""
        row = conn.execute("SELECT max(version)::bigint FROM programme").fetchone()
        return None if row is None or row[0] is None else self.get(conn, row[0])


def publish(conn: Connection, programme: Programme) -> None:
    """Publish `programme`; tills hear of it in the feed.

    Raises:
        HqError: its version is not above the last, or it is another programme than the one published before.
    """
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_PUBLISH_LOCK,))
        last = conn.execute("SELECT version, programme_id FROM programme ORDER BY version DESC LIMIT 1").fetchone()
        if last is not None:
            version, programme_id = last
            if programme.id != programme_id:
                raise HqError(f"expected programme '{programme_id}', which is in force, got '{programme.id}'")
            if programme.version <= version:
                raise HqError(
                    f"expected a version above {version}, which is the last published, got {programme.version}: "
                    "raise 'version' in the file"
                )
        conn.execute(
            "INSERT INTO programme (version, programme_id, document) VALUES (%s, %s, %s)",
            (programme.version, programme.id, Jsonb(programme.model_dump(mode="json"))),
        )
        conn.execute("INSERT INTO feed (subject, key) VALUES ('programme', %s)", (str(programme.version),))


def newest(conn: Connection) -> Programme | None:
    """The version in force, or None before the first."""
    row = conn.execute("SELECT document FROM programme ORDER BY version DESC LIMIT 1").fetchone()
    return None if row is None else Programme.model_validate(row[0])
