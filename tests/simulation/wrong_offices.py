"""Head offices that are wrong in one way each, made from the real one: what the gates must catch."""

from __future__ import annotations

import httpx
from psycopg import Rollback

from sync.hq.app import create_app
from sync.hq.errors import Refused
from sync.hq.ingest import book
from sync.wire import PROTOCOL, PROTOCOL_HEADER, Batch
from sync.wire_bodies import decompress
from tests.simulation.office import InProcess, Office


def _batch(request: httpx.Request) -> Batch | None:
    if request.url.path != "/v1/entries":
        return None
    return Batch.decode(decompress(request.read(), request.headers.get("content-encoding")))


class Forgetful(InProcess):
    """Takes every batch for new: the watermark, and what else tells a batch that came before, is set back first."""

    def __init__(self, office: Office) -> None:
        super().__init__(create_app(office.database))
        self._database = office.database

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Forget, then hand over."""
        if batch := _batch(request):
            with self._database.connection() as conn, conn.transaction():
                conn.execute(
                    "UPDATE stream SET durable_to = %s, head_digest = %s "
                    "WHERE terminal_id = %s AND epoch = %s AND durable_to >= %s",
                    (batch.from_seq - 1, bytes.fromhex(batch.prev_digest), batch.terminal, batch.epoch, batch.from_seq),
                )
                conn.execute(
                    "DELETE FROM received WHERE terminal_id = %s AND epoch = %s AND seq >= %s",
                    (batch.terminal, batch.epoch, batch.from_seq),
                )
        return super().handle_request(request)


class Hasty(InProcess):
    """Answers before it commits; then, at every second batch, the power goes and the commit never comes."""

    def __init__(self, office: Office) -> None:
        super().__init__(create_app(office.database))
        self._office = office
        self._batches = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Hand over, or answer what is never committed."""
        batch = _batch(request)
        self._batches += batch is not None
        if batch is None or self._batches % 2:
            return super().handle_request(request)
        with self._office.database.connection() as conn:
            try:
                with conn.transaction():
                    answer = book(conn, self._office.database.programmes, batch)
                    raise Rollback
            except Refused:
                return super().handle_request(request)
        headers = {PROTOCOL_HEADER: str(PROTOCOL), "Content-Type": "application/json"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(answer.encode()))


class Generous(InProcess):
    """Holds points for whoever asks, as if nobody had set any aside yet."""

    def __init__(self, office: Office) -> None:
        super().__init__(create_app(office.database))
        self._database = office.database

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Look away from leases and holds while a hold is asked for."""
        if request.method != "POST" or request.url.path != "/v1/holds":
            return super().handle_request(request)
        with self._database.connection() as conn:
            leases = conn.execute(
                "UPDATE lease SET state = 'revoked' WHERE state = 'active' RETURNING lease_id"
            ).fetchall()
            holds = conn.execute(
                "UPDATE hold SET state = 'released' WHERE state = 'active' RETURNING hold_id"
            ).fetchall()
            answer = super().handle_request(request)
            for table, rows in (("lease", leases), ("hold", holds)):
                conn.execute(
                    f"UPDATE {table} SET state = 'active' WHERE {table}_id = ANY(%s)", ([name for (name,) in rows],)
                )
        return answer
