"""docs/protocol.md is true to the code: examples are messages, the signature verifies, the tables name every code."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from loyalty.ledger import Entry, expect_head
from loyalty.resolution import Resolution
from loyalty.spending import Authority
from sync import transport, wire, wire_bodies, wire_mirror, wire_spending
from sync.hq.answers import COMPRESS_FROM_BYTES
from sync.hq.enrolment import CODE_LIFETIME
from sync.hq.holds import CAPTURE_KEEPS
from sync.hq.received import Code
from sync.hq.requests import BODY_TIMEOUT_S
from sync.hq.serve import KEEP_ALIVE_S, MAX_CONNECTIONS
from sync.hq.streaming import MAX_STREAM_S
from sync.signing import MAX_SKEW

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
CONVERSATION = ROOT / "tests" / "vectors" / "conversation"
PARTS = {"Resolution": Resolution, "Authority": Authority}
"""Parts of an entry, and no messages of their own."""
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("name", "body"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_examples_are_messages(name: str, body: str) -> None:
    if name in PARTS:
        PARTS[name].model_validate_json(body)
    else:
        next(getattr(room, name) for room in (wire, wire_mirror, wire_spending) if hasattr(room, name)).decode(
            body.encode()
        )


REQUESTS = {"EnrolRequest", "EpochRequest", "Batch", "HoldRequest", "ClosedLeases"}
FREE = {"document", "feeds", "counters"}
"""Objects in answers whose names are data."""


def with_more(value: Any) -> Any:
    """A message with a field more in each of its objects, as a later head office might say it."""
    if isinstance(value, list):
        return [with_more(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {name: part if name in FREE else with_more(part) for name, part in value.items()} | {"later": 1}


@pytest.mark.parametrize(
    ("name", "body"), [shown for shown in EXAMPLES if shown[0] not in PARTS], ids=lambda value: value[:20].strip("{")
)
def test_answers_may_say_more_and_requests_may_not(name: str, body: str) -> None:
    kind = next(getattr(room, name) for room in (wire, wire_mirror, wire_spending) if hasattr(room, name))
    more = json.dumps(with_more(json.loads(body))).encode()
    if name in REQUESTS:
        with pytest.raises(wire.WireError, match=r"later|unknown field"):
            kind.decode(more)
    else:
        assert kind.decode(more) == kind.decode(body.encode())


def test_every_message_has_an_example() -> None:
    shown = {name for name, _ in EXAMPLES}
    assert shown == {
        "Hello", "EnrolRequest", "EnrolAnswer", "StreamAnswer", "EpochRequest", "EpochAnswer", "Batch", "BatchAnswer",
        "ChangesPage", "SnapshotPart", "DayProof", "Problem", "Resolution",
        "HoldRequest", "HoldAnswer", "Authority", "LeaseChange", "ClosedLeases", "LeasesClosed", "Exposure",
    }  # fmt: skip


def test_the_example_batch_is_a_chain_of_entries() -> None:
    batch = wire.Batch.decode(dict(EXAMPLES)["Batch"].encode())
    raws = [text.encode() for text in batch.entries]
    expect_head(bytes.fromhex(batch.prev_digest), raws, bytes.fromhex(batch.head_digest))
    assert [Entry.decode(raw).seq for raw in raws] == [batch.from_seq]


def test_the_example_signature_verifies() -> None:
    """The signature base is put together by hand here, from RFC 9421 2.5, as another client would."""
    headers = dict(re.findall(r"^([A-Z][A-Za-z-]+): (.*)$", TEXT.split("```http")[1].split("```")[0], re.MULTILINE))
    parameters = headers["Signature-Input"].removeprefix("pyhms=")
    base = "\n".join(
        [
            '"@method": POST',
            '"@path": /v1/entries',
            '"@query": ?',
            '"spaarpunt-protocol": 1',
            f'"content-digest": {headers["Content-Digest"]}',
            f'"@signature-params": {parameters}',
        ]
    )
    public = base64.b64decode(re.findall(r"public key is `([^`]+)`", TEXT)[0])
    signature = base64.b64decode(headers["Signature"].removeprefix("pyhms=:").removesuffix(":"))
    Ed25519PublicKey.from_public_bytes(public).verify(signature, base.encode())


def test_the_example_lease_verifies() -> None:
    """With head office's key of the enrolment example; the JSON is put together by hand, as another client would."""
    shown = dict(EXAMPLES)
    lease = json.loads(shown["LeaseChange"])
    names = ("account", "epoch", "expires_ms", "id", "points", "spent", "state", "terminal")
    terms = "{" + ",".join(f'"{name}":{json.dumps(lease[name])}' for name in names) + "}"
    key = base64.b64decode(json.loads(shown["EnrolAnswer"])["hq_public_key"])
    Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(lease["signature"]), terms.encode())


@pytest.mark.parametrize(("answer", "request_"), [("StreamAnswer", "EnrolRequest"), ("EpochAnswer", "EpochRequest")])
def test_the_example_certificates_verify(answer: str, request_: str) -> None:
    """The bytes are put together by hand, as another client would."""
    shown = {name: json.loads(body) for name, body in reversed(EXAMPLES)}
    given, key = shown[answer], base64.b64decode(shown[request_]["public_key"])
    said = b"spaarpunt terminal key\0" + given["epoch"].to_bytes(4, "big") + key + given["terminal"].encode("ascii")
    head_office = base64.b64decode(shown["EnrolAnswer"]["hq_public_key"])
    Ed25519PublicKey.from_public_bytes(head_office).verify(base64.b64decode(given["certificate"]), said)


def test_a_request_without_a_body_has_the_written_digest() -> None:
    digest = base64.b64encode(hashlib.sha256(b"").digest()).decode("ascii")
    assert f"the digest of nothing, `sha-256=:{digest}:`" in " ".join(TEXT.split())


def test_every_code_is_in_a_table_and_every_code_in_a_table_exists() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "sync" / "hq").glob("*.py"))
    refusals = set(re.findall(r'(?:Refused|_problem)\(\s*(?:\d{3}|error\.status_code),\s*"(\w+)"', sources))
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    parked = {match[1] for line in rows if (match := re.match(r"\| `(\w+)` \|", line))}
    refused = {
        code for line in rows if re.match(r"\| \d{3}", line) for code in re.findall(r"`(\w+)`", line.split("|")[2])
    }
    assert parked == {code.value for code in Code}
    assert refused == refusals


NUMBERS = {"five": 5, "seven": 7}
UNITS = {"KiB": 1024, "MiB": 1024 * 1024, "minutes": 60, "hours": 3600, "days": 86_400}


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        (wire_bodies.MAX_BODY_BYTES, "at most 1 MiB as sent"),
        (wire_bodies.MAX_DECODED_BYTES, "4 MiB unpacked"),
        (wire_bodies.MAX_WINDOW_BYTES, "window of at most 8 MiB"),
        (BODY_TIMEOUT_S, "arrives within 30 seconds"),
        (KEEP_ALIVE_S, "closed after 75 seconds"),
        (COMPRESS_FROM_BYTES, "answers of 512 bytes and more come compressed"),
        (transport.MAX_ANSWER_BYTES, "beyond 16 MiB"),
        (wire_mirror.MAX_PART_BYTES, "beyond 16 MiB"),
        (MAX_SKEW.total_seconds(), "`created` may be five minutes off"),
        (CODE_LIFETIME.total_seconds(), "valid once, for 24 hours"),
        (wire.MAX_BATCH_ENTRIES, "to 500 consecutive entries"),
        (wire.MAX_BATCH_BYTES, "at most 512 KiB of entry bytes"),
        (wire_mirror.MAX_CHANGES, "at most 500 changes"),
        (wire_mirror.MAX_PART_ROWS, "at most 1000 leases, accounts or cards"),
        (MAX_STREAM_S, "cuts a stream after five minutes"),
        (wire_spending.MAX_HOLD_S, "an interval, 1 to 3600"),
        (wire_spending.MAX_HOLD_POINTS, "`points` is 1 to 1 000 000 000"),
        (CAPTURE_KEEPS.total_seconds(), "at most seven days"),
        (wire_mirror.MAX_CHANGES, "of 1 to 500 leases"),
        (MAX_CONNECTIONS, "more than 500 connections at once"),
    ],
)
def test_limits_are_those_of_the_code(limit: float, shown: str) -> None:
    """The last number in `shown`, with the unit that follows it."""
    found = re.findall(r"(\d[\d ]*\d|\d|five|seven)(?: (\w+))?", shown)
    number, unit = found[-1]
    assert limit == (NUMBERS.get(number) or int(number.replace(" ", ""))) * UNITS.get(unit, 1)
    assert shown in " ".join(TEXT.split())


ENROLMENT = {"code": "XGZPK-TCUVU", "name": "kassa 1", "public_key": "", "software": "mytill/1.0"}


@pytest.mark.parametrize(
    ("field", "least", "most", "shown"),
    [
        ("code", 8, 32, "`code` is 8 to 32 characters"),
        ("name", 1, 60, "`name` 1 to 60"),
        ("software", 0, 40, "`software` at most 40"),
    ],
)
def test_an_enrolments_texts_are_as_long_as_written(field: str, least: int, most: int, shown: str) -> None:
    assert shown in TEXT
    for length in (least, most):
        wire.EnrolRequest.decode(json.dumps(ENROLMENT | {field: "x" * length}).encode())
    for length in {most + 1, max(0, least - 1)} - {least}:
        with pytest.raises(wire.WireError, match=field):
            wire.EnrolRequest.decode(json.dumps(ENROLMENT | {field: "x" * length}).encode())


@pytest.mark.parametrize("document", ["protocol.md", "entries.md"])
def test_every_row_stands_under_a_header(document: str) -> None:
    """A row after a blank line is text."""
    for block in (ROOT / "docs" / document).read_text(encoding="utf-8").split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert not rows or re.fullmatch(r"\|( --- \|)+", rows[1]), rows[0]


def test_the_statuses_of_success_are_those_of_the_conversation() -> None:
    assert "answered 200; `POST /v1/terminals` and `POST /v1/epochs` are answered 201" in TEXT
    steps = [json.loads(path.read_text(encoding="utf-8")) for path in CONVERSATION.glob("[0-9]*.json")]
    statuses = {(step["call"].partition("?")[0], step["status"]) for step in steps if step["status"] < 300}
    created = {call for call, status in statuses if status != 200}
    assert created == {"POST /v1/terminals", "POST /v1/epochs"}
    assert {status for _, status in statuses} == {200, 201}
