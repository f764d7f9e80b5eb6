"""What head office takes over HTTP, and how it refuses the rest: always a problem, never a trace."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.hq.database import Connection, Database
from sync.signing import MAX_SKEW
from sync.wire import PROTOCOL_HEADER, BatchAnswer, Hello, Problem
from sync.wire_bodies import MAX_BODY_BYTES, MAX_DECODED_BYTES
from tests.support.entries import DAY, Signed, TestTill

Member = Callable[..., tuple[str, str]]


def problem(response: httpx.Response, status: int, code: str) -> Problem:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers[PROTOCOL_HEADER] == "1"
    found = Problem.decode(response.content)
    assert (found.status, found.code) == (status, code)
    assert found.server_time_ms is not None
    assert "Traceback" not in response.text
    assert "SELECT" not in response.text
    return found


def test_hello_is_for_everybody(hq: httpx.Client) -> None:
    response = hq.get("/v1/hello")
    assert Hello.decode(response.content).service == "spaarpunt-hq"
    assert response.headers[PROTOCOL_HEADER] == "1"
    problem(hq.get("/v1/hello", headers={PROTOCOL_HEADER: "2"}), 400, "protocol_version")
    assert hq.get("/healthz").status_code == 200


def test_what_is_no_call_is_a_problem_too(hq: httpx.Client) -> None:
    problem(hq.get("/v1/nothing"), 404, "no_such_call")
    problem(hq.delete("/v1/hello"), 405, "no_such_call")


@pytest.mark.parametrize("version", [None, "0", "2", "one"])
def test_another_protocol_version_is_refused_in_words(till: TestTill, version: str | None) -> None:
    headers = {} if version is None else {PROTOCOL_HEADER: version}
    response = till.client.post("/v1/entries", content=b"{}", headers=headers)
    assert "expected Spaarpunt-Protocol: 1" in problem(response, 400, "protocol_version").detail


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd", None])
def test_bodies_in_each_encoding(till: TestTill, member: Member, encoding: str | None) -> None:
    till.chain.sale(member()[0])
    body = till.chain.batch().encode()
    coded = {"gzip": gzip.compress(body), "zstd": zstandard.compress(body)}.get(encoding or "", body)
    response = till.post("/v1/entries", coded, headers={"Content-Encoding": encoding} if encoding else {})
    assert BatchAnswer.decode(response.content).durable_to == 1


def test_bodies_that_are_not_what_they_say(till: TestTill, conn: Connection) -> None:
    for encoding, body in [
        ("br", b"x"),
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(b"{}" * 500)[:30]),
        ("zstd", b"not zstd"),
        ("identity", b"{"),
        ("identity", b"\xff"),
        ("identity", b'{"entries": 1}'),
        ("identity", b"[" * 100_000),
        ("identity", b""),
    ]:
        problem(till.post("/v1/entries", body, headers={"Content-Encoding": encoding}), 400, "malformed")
    till.chain.raw(b"x")
    surrogate = till.chain.batch().encode().replace(b'"x"', b'"\\ud800"')
    problem(till.post("/v1/entries", surrogate), 400, "malformed")
    assert conn.execute("SELECT count(*) FROM received").fetchone() == (0,)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bombs_are_refused_without_being_unpacked(till: TestTill, encoding: str) -> None:
    zeros = bytes(100_000_000)
    bomb = gzip.compress(zeros) if encoding == "gzip" else zstandard.compress(zeros)
    assert len(bomb) < MAX_BODY_BYTES
    response = till.post("/v1/entries", bomb, headers={"Content-Encoding": encoding})
    assert str(MAX_DECODED_BYTES) in problem(response, 413, "too_large").detail


def test_a_window_larger_than_any_of_ours_is_refused(till: TestTill) -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    body = stream.compress(b"x" * 100) + stream.flush()
    problem(till.post("/v1/entries", body, headers={"Content-Encoding": "zstd"}), 400, "malformed")


def test_bodies_too_large_as_sent(till: TestTill) -> None:
    problem(till.post("/v1/entries", bytes(MAX_BODY_BYTES + 1)), 413, "too_large")
    # In chunks, so that no length is announced.
    host, port = till.client.base_url.host, till.client.base_url.port
    with socket.create_connection((host, port), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nSpaarpunt-Protocol: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        answer = b""
        try:
            for _ in range(64):
                raw.sendall(chunk)
            answer = raw.recv(65536)
        except ConnectionError:
            answer = answer or raw.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413")


def test_signatures_that_are_not_good(till: TestTill, new_till: Callable[[], TestTill], member: Member) -> None:
    till.chain.sale(member()[0])
    other = new_till()
    body = till.chain.batch().encode()
    headers = {PROTOCOL_HEADER: "1"}
    problem(till.client.post("/v1/entries", content=body, headers=headers), 401, "signature")
    problem(till.post("/v1/entries", body, auth=Signed(other.key, till.terminal)), 401, "signature")
    problem(till.post("/v1/entries", body, auth=Signed(till.key, "t-0000000000")), 401, "unknown_terminal")
    problem(till.post("/v1/entries", body, auth=Signed(Ed25519PrivateKey.generate(), "enrol")), 401, "unknown_terminal")
    problem(till.post("/v1/entries", body, auth=other.auth), 403, "other_terminal")
    assert till.send().json()["results"][0]["outcome"] == "booked"  # none of those was booked


@pytest.mark.parametrize("shift", [MAX_SKEW + timedelta(seconds=30), -MAX_SKEW - timedelta(seconds=30)])
def test_a_signature_of_another_time_is_told_the_time(till: TestTill, shift: timedelta) -> None:
    response = till.get("/v1/changes/till", auth=Signed(till.key, till.terminal, shift))
    assert "server_time_ms" in problem(response, 401, "clock_skew").detail


def test_a_clock_a_little_off_will_do(till: TestTill) -> None:
    for shift in (timedelta(minutes=4), timedelta(minutes=-4)):
        response = till.get("/v1/changes/till", auth=Signed(till.key, till.terminal, shift))
        assert response.status_code == 200, response.text


@pytest.mark.parametrize("what", ["body", "path", "query", "method", "protocol"])
def test_what_was_signed_cannot_be_changed_on_the_way(till: TestTill, what: str) -> None:
    def tamper(request: httpx.Request) -> None:
        if what == "body":
            request.stream = httpx.ByteStream(b"[]")
            request.headers["Content-Length"] = "2"
        elif what == "path":
            request.url = request.url.copy_with(path="/v1/proofs/2026-01-01")
        elif what == "query":
            request.url = request.url.copy_with(query=b"cursor=other")
        elif what == "method":
            request.method = "POST"
        else:
            request.headers["Spaarpunt-Protocol"] = "01"

    class Tampering(Signed):
        def auth_flow(self, request: httpx.Request):  # type: ignore[no-untyped-def]
            (signed,) = super().auth_flow(request)
            tamper(signed)
            yield signed

    response = till.get("/v1/changes/till", auth=Tampering(till.key, till.terminal), cursor="")
    expected = {"method": (405, "no_such_call"), "protocol": (400, "protocol_version")}
    problem(response, *expected.get(what, (401, "signature")))


def test_dates_and_feeds_that_are_none(till: TestTill) -> None:
    problem(till.get("/v1/proofs/yesterday"), 400, "malformed")
    problem(till.get("/v1/changes/shelf"), 404, "unknown_feed")
    problem(till.get("/v1/changes/till", cursor="%00"), 400, "cursor")
    assert till.get(f"/v1/proofs/{DAY}").json()["proof"]["entries"] == 0


def test_answers_are_compressed_for_those_who_take_it(till: TestTill, member: Member) -> None:
    for _ in range(20):
        till.chain.sale(member()[0])
    headers = {"Accept-Encoding": "gzip;q=0.5, zstd"}
    packed = till.post("/v1/entries", till.chain.batch().encode(), headers=headers)
    plain = till.post("/v1/entries", till.chain.batch().encode(), headers={"Accept-Encoding": "zstd;q=0, identity"})
    assert packed.headers["content-encoding"] == "zstd"
    assert "content-encoding" not in plain.headers
    assert BatchAnswer.decode(packed.content).durable_to == BatchAnswer.decode(plain.content).durable_to == 20


def test_the_last_contact_is_noted(database: Database, conn: Connection, till: TestTill) -> None:
    conn.execute("UPDATE terminal SET last_contact_at = '2020-01-01'")
    till.get("/v1/changes/till")
    assert conn.execute("SELECT last_contact_at > now() - interval '1 minute' FROM terminal").fetchone() == (True,)


def test_a_database_that_went_away_means_later(database: Database, hq: httpx.Client) -> None:
    database.close()
    response = hq.get("/healthz")
    problem(response, 503, "unavailable")
    assert response.headers["Retry-After"] == "5"


def test_a_failure_of_ours_is_a_plain_500(till: TestTill, member: Member, conn: Connection) -> None:
    till.chain.sale(member()[0])
    conn.execute("ALTER TABLE ledger RENAME TO lost")
    try:
        response = till.send()
    finally:
        conn.execute("ALTER TABLE lost RENAME TO ledger")
    problem(response, 500, "internal")
    assert till.send().json()["results"][0]["outcome"] == "booked"


def test_what_is_too_much_for_the_database_is_held_against_the_request(
    till: TestTill, member: Member, conn: Connection
) -> None:
    till.chain.sale(member()[0])
    conn.execute(
        "CREATE FUNCTION too_much() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'index row too large' USING ERRCODE = 'program_limit_exceeded'; END $$"
    )
    conn.execute("CREATE TRIGGER too_much BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION too_much()")
    try:
        response = till.send()
    finally:
        conn.execute("DROP FUNCTION too_much CASCADE")
    problem(response, 500, "internal")
    assert "Retry-After" not in response.headers
