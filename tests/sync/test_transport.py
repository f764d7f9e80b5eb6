"""Each way in which head office can fail, over real sockets, and what the agent should make of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.errors import Blame, OtherVersion, Rejected, ServerFault, TransportError, Unreachable
from sync.signing import ENROL_KEY_ID, SignedMessage, verify
from sync.terminal import wall_ms
from sync.transport import MAX_ANSWER_BYTES, MAX_RETRY_AFTER_S, Transport
from sync.wire import Batch, BatchAnswer, ClockReading, EnrolAnswer, Hello, key_text
from sync.wire_bodies import decompress
from sync.wire_mirror import ChangesPage
from tests.support.till import closed_port
from tests.sync.wires import Asked, http, problem, scripted

KEY = Ed25519PrivateKey.generate()
HELLO = http("200 OK", Hello(software="s", server_time_ms=1).encode(), Spaarpunt_Protocol="1")
BATCH = Batch(
    terminal="t-1",
    epoch=1,
    from_seq=1,
    to_seq=1,
    prev_digest="0" * 64,
    head_digest="1" * 64,
    clock=ClockReading(wall_ms=1, monotonic_ms=1, boot_id="b"),
    entries=("an entry",),
)
ANSWER = BatchAnswer(durable_to=1, applied_to=1, results=(), balances=(), next_poll_s=15, server_time_ms=2)


def transport(url: str, timeout_s: int = 5, key_id: str = "t-1", offset_ms: int = 0) -> Transport:
    return Transport(url, KEY, key_id, timeout_s=timeout_s, clock_offset_ms=offset_ms)


def created(request: Asked) -> int:
    """The moment a request says it was signed, Unix seconds."""
    return int(request.header("Signature-Input").split("created=")[1].split(";")[0])


def signed_by(request: Asked, key_id: str) -> bool:
    message = SignedMessage(
        request.head.split(" ")[0],
        f"http://head-office{request.path}",
        dict(line.split(": ", 1) for line in request.head.split("\r\n")[1:] if line),
    )
    return verify(message, request.body, lambda name: KEY.public_key() if name == key_id else None) == key_id


# -- what works -------------------------------------------------------------------------------------------------------


def test_a_batch_goes_out_compressed_and_signed() -> None:
    with scripted(http("200 OK", ANSWER.encode(), Spaarpunt_Protocol="1")) as office:
        assert transport(office.url).send(BATCH) == ANSWER
    (request,) = office.asked
    assert request.head.startswith("POST /v1/entries HTTP/1.1\r\n")
    assert request.header("Spaarpunt-Protocol") == "1"
    assert request.header("Content-Encoding") == "zstd"
    assert Batch.decode(decompress(request.body, "zstd")) == BATCH
    assert signed_by(request, "t-1")


def test_the_same_batch_is_the_same_bytes_on_a_retry() -> None:
    with scripted(http("500 Oops", b""), http("200 OK", ANSWER.encode())) as office:
        till = transport(office.url)
        with pytest.raises(ServerFault):
            till.send(BATCH)
        till.send(BATCH)
    first, second = office.asked
    assert first.body == second.body
    assert first.header("Content-Digest") == second.header("Content-Digest")


def test_changes_and_proof_name_what_they_want() -> None:
    page = ChangesPage(changes=(), cursor="x:2", more=False, epoch=1, includes_seq=0, as_of_ms=5)
    proof = {
        "proof": {
            "terminal": "t-1", "epoch": 1, "business_date": "2026-03-31", "entries": 0, "points_earned": 0,
            "points_spent": 0, "last_seq": 0, "head_digest": "",
        },
        "parked": 0,
    }  # fmt: skip
    with scripted(http("200 OK", page.encode()), http("200 OK", json.dumps(proof).encode())) as office:
        till = transport(office.url + "/")
        assert till.changes("till", "x:1 &") == page
        assert till.proof(date(2026, 3, 31), 1).parked == 0
    assert [request.path for request in office.asked] == [
        "/v1/changes/till?cursor=x%3A1+%26",
        "/v1/proofs/2026-03-31?epoch=1",
    ]
    assert all(signed_by(request, "t-1") for request in office.asked)


def test_enrolment_is_signed_with_the_key_it_carries() -> None:
    answer = EnrolAnswer(
        terminal="t-9", epoch=1, store="s", store_name="S", hq_public_key=key_text(bytes(32)),
        card_key=key_text(bytes(32)), server_time_ms=0,
    )  # fmt: skip
    with scripted(http("201 Created", answer.encode())) as office:
        assert transport(office.url, key_id=ENROL_KEY_ID).enrol("ABCDEFGH", "kassa 1", KEY) == answer
    (request,) = office.asked
    assert signed_by(request, ENROL_KEY_ID)
    assert key_text(KEY.public_key().public_bytes_raw()).encode() in decompress(request.body, "zstd")


# -- no answer --------------------------------------------------------------------------------------------------------


def test_nobody_listens() -> None:
    with pytest.raises(
        Unreachable, match=r"http://127\.0\.0\.1:\d+: no connection; sales go on and are sent later"
    ) as caught:
        transport(f"http://127.0.0.1:{closed_port()}").hello()
    assert caught.value.blame is Blame.NONE


@pytest.mark.parametrize("answer", [b"", HELLO[:40], HELLO[:-5]], ids=["nothing", "mid header", "mid body"])
def test_the_connection_is_cut(answer: bytes) -> None:
    """httpx calls this a RemoteProtocolError, which is not one of its NetworkErrors."""
    with scripted(answer) as office, pytest.raises(Unreachable, match="no connection") as caught:
        transport(office.url).hello()
    assert caught.value.blame is Blame.SILENCE


def test_no_answer_in_time() -> None:
    with scripted(None) as office, pytest.raises(Unreachable, match="no answer in time; sales go on") as caught:
        transport(office.url, timeout_s=1).hello()
    assert caught.value.blame is Blame.SIZE


def test_it_works_again_after_a_failure() -> None:
    with scripted(b"", HELLO) as office:
        till = transport(office.url)
        with pytest.raises(Unreachable):
            till.hello()
        assert till.hello().server_time_ms == 1


# -- trouble at the other side ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ({}, None),
        ({"Retry_After": "17"}, 17),
        ({"Retry_After": "0"}, 0),
        ({"Retry_After": "99999999"}, MAX_RETRY_AFTER_S),
        ({"Retry_After": "9" * 5000}, MAX_RETRY_AFTER_S),
        ({"Retry_After": "Fri, 31 Dec 2027 23:59:59 GMT"}, None),
        ({"Retry_After": "-5"}, None),
        ({"Retry_After": "\u00b2"}, None),  # a digit to Python, no number to anybody
    ],
    ids=str,
)
def test_unavailable(header: dict[str, str], wait_s: int | None) -> None:
    busy = http("503 Service Unavailable", b"busy", "text/plain", **header)
    said = r"is in trouble \(503\); it is tried again"
    with scripted(busy) as office, pytest.raises(ServerFault, match=said) as caught:
        transport(office.url).hello()
    assert caught.value.retry_after_s == wait_s
    assert caught.value.blame is (Blame.NONE if header else Blame.SILENCE)


@pytest.mark.parametrize(
    ("status", "blame"),
    [
        ("500 Internal", Blame.SAID),
        ("502 Bad Gateway", Blame.SILENCE),
        ("504 Gateway Timeout", Blame.SILENCE),
        ("429 Too Many", Blame.NONE),
        ("507 Insufficient Storage", Blame.NONE),
    ],
)
def test_other_trouble_is_tried_again_too(status: str, blame: Blame) -> None:
    with scripted(http(status, b"<html>nginx</html>", "text/html")) as office, pytest.raises(ServerFault) as caught:
        transport(office.url).hello()
    assert caught.value.blame is blame


def test_a_body_that_does_not_unpack() -> None:
    broken = http("200 OK", b"no gzip", Content_Encoding="gzip", Spaarpunt_Protocol="1")
    with scripted(broken) as office, pytest.raises(ServerFault, match="sent a broken answer"):
        transport(office.url).hello()


def test_an_answer_without_end_does_not_fill_the_memory() -> None:
    small = gzip.compress(bytes(MAX_ANSWER_BYTES + 1))
    assert len(small) < 20_000
    endless = http("200 OK", small, Content_Encoding="gzip")
    with scripted(endless) as office, pytest.raises(ServerFault, match="sent more than 16777216 bytes"):
        transport(office.url).hello()


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"), [(401, "unknown_terminal"), (403, "revoked"), (409, "stream_conflict"), (413, "too_large")]
)
def test_a_refusal_keeps_its_code(status: int, code: str) -> None:
    with scripted(problem(status, code)) as office, pytest.raises(Rejected, match=f"because of {code}") as caught:
        transport(office.url).send(BATCH)
    assert (caught.value.code, caught.value.wanted_seq) == (code, None)


def test_a_gap_says_what_is_wanted() -> None:
    with scripted(problem(409, "gap", wanted_seq=12)) as office, pytest.raises(Rejected) as caught:
        transport(office.url).send(BATCH)
    assert caught.value.wanted_seq == 12


def test_a_wrong_clock_is_corrected_by_head_offices_time_and_stays_so() -> None:
    there = wall_ms() + 400 * 86_400_000
    with scripted(problem(401, "clock_skew", server_time_ms=there), HELLO, HELLO) as office:
        till = transport(office.url)
        till.hello()
        till.hello()
    assert abs(created(office.asked[0]) - wall_ms() / 1000) < 5
    for request in office.asked[1:]:
        assert abs(created(request) - there / 1000) < 5


def test_a_clock_that_is_refused_twice_is_a_refusal() -> None:
    skew = problem(401, "clock_skew", server_time_ms=1)
    with scripted(skew, skew) as office, pytest.raises(Rejected) as caught:
        transport(office.url).hello()
    assert caught.value.code == "clock_skew"
    assert len(office.asked) == 2


def test_the_last_known_offset_is_used_from_the_first_request() -> None:
    with scripted(HELLO) as office:
        transport(office.url, offset_ms=-3_600_000).hello()
    assert abs(created(office.asked[0]) - (datetime.now(UTC).timestamp() - 3600)) < 5


# -- not our head office ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", b"<html><title>Guest WiFi</title></html>", "text/html"),
        http("302 Found", b"", "text/html", Location="http://portal.example/login"),
        http("404 Not Found", b"<html>nginx</html>", "text/html"),
        http("403 Forbidden", b'{"error": "other"}', "application/json"),
        http("400 Bad Request", b"no JSON", "application/problem+json"),
        http("200 OK", b'{"service": "another", "software": "x", "server_time_ms": 1}'),
        http("200 OK", b""),
        http("204 No Content", b""),
    ],
    ids=["portal", "redirect", "404", "other json", "other problem", "other service", "empty", "204"],
)
def test_something_else_answers(answer: bytes) -> None:
    with scripted(answer) as office, pytest.raises(OtherVersion) as caught:
        transport(office.url).hello()
    assert office.url in str(caught.value)
    assert "check till.head_office_url" in str(caught.value) or "update whichever of the two is older" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [http("200 OK", b"{}", Spaarpunt_Protocol="2"), http("404 X", b"", Spaarpunt_Protocol="2")]
)
def test_another_protocol_version(answer: bytes) -> None:
    with scripted(answer) as office, pytest.raises(OtherVersion, match="speaks protocol 2, this till 1: update"):
        transport(office.url).hello()


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x02\x00", b"HTTP/1.1 99 What\r\n\r\n"])
def test_something_that_does_not_speak_http(answer: bytes) -> None:
    with scripted(answer) as office, pytest.raises(TransportError):
        transport(office.url).hello()


@pytest.mark.parametrize(
    "call",
    [
        lambda till: till.hello(),
        lambda till: till.send(BATCH),
        lambda till: till.changes("till", ""),
        lambda till: till.proof(date(2026, 3, 31), 1),
        lambda till: till.enrol("ABCDEFGH", "kassa", KEY),
        lambda till: till.stream(),
        lambda till: till.open_epoch(2, KEY),
        lambda till: till.park(BATCH),
    ],
)
def test_every_call_raises_the_same_kinds(call: Callable[[Transport], object]) -> None:
    with scripted(b"", http("503 X", b""), problem(403, "revoked"), http("200 OK", b"no")) as office:
        till = transport(office.url)
        for kind in (Unreachable, ServerFault, Rejected, OtherVersion):
            with pytest.raises(kind):
                call(till)
        till.close()
