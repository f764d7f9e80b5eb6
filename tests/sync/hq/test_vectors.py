"""The golden conversation of the protocol, replayed to a real head office; and signed requests, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from loyalty.programme import OfflineMode, OfflinePolicy, Programme
from sync.hq.database import Database
from sync.hq.leases import Wish, grant
from sync.hq.programmes import publish
from sync.signing import ENROL_KEY_ID, SignedMessage, certified, sign
from sync.wire import PROTOCOL_HEADER
from sync.wire_bodies import decompress
from sync.wire_mirror import LeaseChange, Section
from tests.support.entries import Signed

VECTORS = Path(__file__).parents[2] / "vectors"
CONVERSATION = VECTORS / "conversation"
STEPS = sorted(CONVERSATION.glob("[0-9]*.json"))
KEYS = json.loads((VECTORS / "keys.json").read_text(encoding="utf-8"))
ANY = "<any>"
CREATED = 1774958400
LEASE = UUID("b3c8f6de-8f0c-4c52-9e53-4a5a0c7d1e20")


def key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS[name]["seed"]))


def differences(expected: Any, got: Any, path: str = "answer") -> list[str]:
    """Where an answer is not as expected; `ANY` stands for what head office draws or reads off its clock."""
    if expected == ANY:
        return [] if got is not None else [f"{path}: expected something, got nothing"]
    if isinstance(expected, dict) and isinstance(got, dict):
        return [
            line
            for name in sorted({*expected, *got})
            for line in differences(expected.get(name), got.get(name), f"{path}.{name}")
        ]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [
            line
            for place, (one, other) in enumerate(zip(expected, got, strict=True))
            for line in differences(one, other, f"{path}[{place}]")
        ]
    return [] if expected == got and type(expected) is type(got) else [f"{path}: expected {expected!r}, got {got!r}"]


def prepared(database: Database) -> None:
    """The state that `tests/vectors/README.md` describes: one programme, one member, one code."""
    with database.connection() as conn:
        publish(
            conn, Programme.from_document(json.loads((CONVERSATION / "programme.json").read_text(encoding="utf-8")))
        )
        account, token = KEYS["member"]["account"], KEYS["member"]["card"]
        conn.execute("INSERT INTO account (account_id, first_name, tier) VALUES (%s, 'Anna', 'basic')", (account,))
        conn.execute("INSERT INTO card (token, account_id) VALUES (%s, %s)", (token, account))
        conn.execute("INSERT INTO balance (account_id, points) VALUES (%s, 200)", (account,))
        conn.execute(
            "INSERT INTO ledger (account_id, entry_id, kind, business_date, points, points_earned, points_spent) "
            "VALUES (%s, '019d4300-0000-7000-8000-0000000000ff', 'opening', '2026-03-30', 200, 200, 0)",
            (account,),
        )
        conn.execute("INSERT INTO feed (subject, key) VALUES ('account', %s), ('card', %s)", (account, token))
        conn.execute("INSERT INTO store (store_id, name) VALUES ('s01', 'Dorpsstraat')")
        conn.execute(
            "INSERT INTO enrolment_code (code_hash, store_id, expires_at) VALUES (%s, 's01', %s)",
            (hashlib.sha256(KEYS["code"].encode()).digest(), datetime.now(UTC) + timedelta(hours=1)),
        )


def renamed(database: Database) -> None:
    """Head office draws a terminal's id; the vectors call it by a fixed one."""
    with database.connection() as conn:
        (drawn,) = conn.execute("SELECT terminal_id FROM terminal").fetchone() or ("",)
        for table in ("terminal", "stream", "enrolment_code"):
            conn.execute(f"UPDATE {table} SET terminal_id = %s WHERE terminal_id = %s", (KEYS["terminal"]["id"], drawn))


def say(hq: httpx.Client, step: dict[str, Any]) -> httpx.Response:
    method, target = step["call"].split(" ", 1)
    name = ENROL_KEY_ID if target == "/v1/terminals" else KEYS["terminal"]["id"]
    body = b"" if step["body"] is None else json.dumps(step["body"], ensure_ascii=False).encode()
    return hq.request(
        method,
        target,
        content=body,
        auth=Signed(key(step["key"]), name),
        headers={PROTOCOL_HEADER: "1", "Content-Type": "application/json"},
    )


def leased(database: Database) -> None:
    """Head office sets points aside at the till, as it does when it books where a programme says so."""
    policy = OfflinePolicy(redeem=OfflineMode.LEASE, lease_points=100, lease_lifetime_s=7 * 86_400)
    wish = Wish(KEYS["member"]["account"], KEYS["terminal"]["id"], 2)
    with database.connection() as conn, conn.transaction():
        assert grant(conn, policy, [wish], datetime.fromtimestamp(CREATED, UTC), lambda: LEASE) == 1


BETWEEN = {"02": renamed, "28": leased}
"""What happens at head office before a step."""


@pytest.fixture
def own_head_office(database_url: str) -> Any:
    keys = KEYS["head_office"]
    with Database(database_url) as opened, opened.connection() as conn:
        drawn = conn.execute("SELECT signing_key, card_key FROM head_office").fetchone()
        assert drawn is not None
        fixed = (bytes.fromhex(keys["seed"]), base64.b64decode(keys["card_key"]))
        conn.execute("UPDATE head_office SET signing_key = %s, card_key = %s", fixed)
        try:
            with Database(database_url) as own:
                prepared(own)
                yield own
        finally:
            conn.execute("UPDATE head_office SET signing_key = %s, card_key = %s", drawn)


@pytest.fixture
def database(own_head_office: Database) -> Database:
    """In place of the tests' head office: one with the programme and the member of the vectors."""
    return own_head_office


def test_the_conversation_is_answered_as_written(database: Database, hq: httpx.Client) -> None:
    assert len(STEPS) >= 15
    for place in STEPS:
        step = json.loads(place.read_text(encoding="utf-8"))
        BETWEEN.get(place.name[:2], lambda _: None)(database)
        response = say(hq, step)
        assert response.status_code == step["status"], f"{place.name}: {response.text}"
        lines = response.headers["Content-Type"] == "application/x-ndjson"
        got = [json.loads(line) for line in response.iter_lines()] if lines else response.json()
        assert differences(step["answer"], got) == [], place.name


def test_a_difference_would_be_seen() -> None:
    assert differences({"a": [1, ANY]}, {"a": [1, "x"]}) == []
    assert differences({"a": 1}, {"a": 2}) == ["answer.a: expected 1, got 2"]
    assert differences({"a": 1}, {"a": True}) != []
    assert differences({"a": 1}, {"a": 1, "b": 2}) == ["answer.b: expected None, got 2"]
    assert differences([1], [1, 2]) != []


def requests() -> list[Path]:
    return sorted((VECTORS / "requests").glob("*.http"))


def parsed(place: Path) -> tuple[str, str, dict[str, str], bytes]:
    """Method, target, headers and body of a request as it goes over the line."""
    head, _, body = place.read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    method, target, _ = first.split(" ")
    return method, target, dict(line.split(": ", 1) for line in lines), body


def step(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(CONVERSATION.glob(f"{name}-*.json")).read_text(encoding="utf-8"))
    return found


def test_the_compressed_batch_is_that_of_the_conversation() -> None:
    _, _, headers, body = parsed(VECTORS / "requests" / "entries-zstd.http")
    assert headers["Content-Encoding"] == "zstd"
    assert json.loads(decompress(body, headers["Content-Encoding"])) == step("03")["body"]


def signed(name: str) -> tuple[bytes, str]:
    """What head office signed, and its signature, once that is found to be its own."""
    said = (VECTORS / "signed" / f"{name}.bin").read_bytes()
    signature = (VECTORS / "signed" / f"{name}.sig").read_text(encoding="ascii")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(KEYS["head_office"]["public"]))
    public.verify(base64.b64decode(signature), said)
    return said, signature


@pytest.mark.parametrize(("epoch", "signer", "answered"), [(1, "terminal", "02"), (2, "next", "17")])
def test_a_certificate_is_over_the_written_bytes(epoch: int, signer: str, answered: str) -> None:
    said, signature = signed(f"certificate-{epoch}")
    assert said == certified(KEYS["terminal"]["id"], epoch, base64.b64decode(KEYS[signer]["public"]))
    assert step(answered)["answer"]["certificate"] == signature


def test_the_lease_is_over_the_written_bytes_in_snapshot_and_feed() -> None:
    said, signature = signed("lease")
    parts = step("28")["answer"]
    rows = [row for part in parts for row in part["rows"]] + step("29")["answer"]["changes"]
    leases = [row for row in rows if row["kind"] == "lease"]
    assert len(leases) == 2
    for lease in leases:
        assert lease["signature"] == signature
        assert LeaseChange.decode(json.dumps(lease).encode()).signed_bytes() == said


def test_the_snapshot_is_whole() -> None:
    sections = [part["section"] for part in step("28")["answer"]]
    assert sections == [section.value for section in Section]


@pytest.mark.parametrize("place", requests(), ids=lambda place: place.stem)
def test_a_signature_is_over_the_written_base(place: Path) -> None:
    """Checked with nothing but RFC 9421's recipe and Ed25519."""
    method, target, headers, body = parsed(place)
    path, _, query = target.partition("?")
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert headers["Content-Digest"] == f"sha-256=:{digest}:"
    parameters = headers["Signature-Input"].removeprefix("pyhms=")
    values = {
        "@method": method,
        "@path": path,
        "@query": f"?{query}",
        "spaarpunt-protocol": headers["Spaarpunt-Protocol"],
        "content-digest": headers["Content-Digest"],
    }
    names = parameters[1 : parameters.index(")")].replace('"', "").split(" ")
    base = "".join(f'"{name}": {values[name]}\n' for name in names) + f'"@signature-params": {parameters}'
    assert base.encode() == place.with_suffix(".base").read_bytes()
    signature = base64.b64decode(headers["Signature"].removeprefix("pyhms=:").removesuffix(":"))
    key("terminal").public_key().verify(signature, base.encode())


@pytest.mark.parametrize("place", requests(), ids=lambda place: place.stem)
def test_our_own_till_signs_the_same_bytes(place: Path) -> None:
    method, target, headers, body = parsed(place)
    made = {"Spaarpunt-Protocol": "1"}
    name = headers["Signature-Input"].split('keyid="')[1].split('"')[0]
    at = datetime.fromtimestamp(int(headers["Signature-Input"].split("created=")[1].split(";")[0]), UTC)
    sign(SignedMessage(method, f"http://head-office.example{target}", made), body, key("terminal"), name, at)
    assert {part: made[part] for part in ("Content-Digest", "Signature-Input", "Signature")} == {
        part: headers[part] for part in ("Content-Digest", "Signature-Input", "Signature")
    }
