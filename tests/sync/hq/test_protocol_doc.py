"""docs/protocol.md is true to the code: examples are messages, the signature verifies, the tables name every code."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from loyalty.ledger import Entry, expect_head
from loyalty.resolution import Resolution
from loyalty.spending import Authority
from sync import wire, wire_bodies, wire_mirror, wire_spending
from sync.hq.received import Code

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
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


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        (wire_bodies.MAX_BODY_BYTES, "at most 1 MiB as sent"),
        (wire_bodies.MAX_DECODED_BYTES, "4 MiB unpacked"),
        (wire_bodies.MAX_WINDOW_BYTES, "window of at most 8 MiB"),
    ],
)
def test_limits_are_those_of_the_code(limit: int, shown: str) -> None:
    found = re.search(r"\d+", shown)
    assert found is not None
    assert limit == int(found[0]) * 1024 * 1024
    assert shown in TEXT
