"""A signature covers what it says it covers, now, and nothing else passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms
from hypothesis import given
from hypothesis import strategies as st

from sync.signing import COVERED, MAX_SKEW, SignatureRefused, SignatureStale, SignedMessage, sign, verify, why_refused

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BODY = b"what was sent"
URL = "http://head-office.example/v1/changes/till?cursor=a%3A1"


def signed(body: bytes = BODY, key_id: str = "t-1", at: datetime | None = None, url: str = URL) -> SignedMessage:
    message = SignedMessage("POST", url, {"Spaarpunt-Protocol": "1", "User-Agent": "test"})
    sign(message, body, KEY, key_id, at or datetime.now(UTC))
    return message


def find(key_id: str) -> Ed25519PublicKey | None:
    return KEY.public_key() if key_id == "t-1" else None


def with_header(message: SignedMessage, name: str, value: str | None) -> SignedMessage:
    headers = {key: old for key, old in message.headers.items() if key.lower() != name.lower()}
    if value is not None:
        headers[name] = value
    return SignedMessage(message.method, message.url, headers)


@pytest.mark.parametrize("body", [BODY, b"", bytes(100_000)])
@pytest.mark.parametrize("url", [URL, "http://head-office.example/v1/hello", "https://other:8443/v1/entries?"])
def test_round_trip(body: bytes, url: str) -> None:
    assert verify(signed(body, url=url), body, find) == "t-1"


def test_the_host_is_not_covered() -> None:
    """A TLS proxy in front of head office may name it otherwise."""
    message = signed()
    moved = SignedMessage("POST", URL.replace("head-office.example", "10.0.0.7:8320"), message.headers)
    assert verify(moved, BODY, find) == "t-1"


def test_everything_covered_is_named_in_the_signature() -> None:
    named = signed().headers["Signature-Input"]
    for component in COVERED:
        assert f'"{component}"' in named
    assert 'keyid="t-1"' in named
    assert 'alg="ed25519"' in named


def changed_messages() -> dict[str, tuple[SignedMessage, bytes]]:
    message = signed()
    other_digest = signed(b"another body").headers["Content-Digest"]
    return {
        "method": (SignedMessage("PUT", message.url, message.headers), BODY),
        "path": (SignedMessage("POST", URL.replace("/till", "/tills"), message.headers), BODY),
        "query": (SignedMessage("POST", URL.replace("a%3A1", "a%3A2"), message.headers), BODY),
        "query gone": (SignedMessage("POST", URL.split("?", maxsplit=1)[0], message.headers), BODY),
        "body": (message, BODY + b"!"),
        "body gone": (message, b""),
        "body and digest": (with_header(message, "Content-Digest", other_digest), b"another body"),
        "digest gone": (with_header(message, "Content-Digest", None), BODY),
        "protocol": (with_header(message, "Spaarpunt-Protocol", "2"), BODY),
        "protocol gone": (with_header(message, "Spaarpunt-Protocol", None), BODY),
        "signature gone": (with_header(message, "Signature", None), BODY),
        "input gone": (with_header(message, "Signature-Input", None), BODY),
        "another signature": (with_header(message, "Signature", signed(b"x").headers["Signature"]), BODY),
        "not covering the query": (
            with_header(message, "Signature-Input", message.headers["Signature-Input"].replace('"@query" ', "")),
            BODY,
        ),
        "another key id": (
            with_header(
                message, "Signature-Input", message.headers["Signature-Input"].replace('keyid="t-1"', 'keyid="t-2"')
            ),
            BODY,
        ),
    }


@pytest.mark.parametrize("what", changed_messages())
def test_whatever_is_changed_is_refused(what: str) -> None:
    message, body = changed_messages()[what]
    with pytest.raises(SignatureRefused):
        verify(message, body, find)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("input gone", "without Signature-Input"),
        ("signature gone", "without Signature"),
        ("digest gone", "without Content-Digest"),
        ("not covering the query", 'covers "@query" as well'),
        ("body", "Content-Digest to be the sha-256 of the body as sent"),
        ("body gone", "Content-Digest to be the sha-256 of the body as sent"),
        ("path", "does not verify with the key known by its keyid"),
        ("another signature", "does not verify with the key known by its keyid"),
    ],
)
def test_who_writes_a_client_is_told_what_to_mend(what: str, said: str) -> None:
    assert said in why_refused(*changed_messages()[what])


def test_a_signature_without_time_or_key_id_is_told_apart() -> None:
    message = signed()
    start = message.headers["Signature-Input"].split(";created=")[0]
    assert "without created and keyid" in why_refused(with_header(message, "Signature-Input", start), BODY)


class Keys(HTTPSignatureKeyResolver):
    """Hands the library our key, to sign what `sign` never would."""

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:
        return KEY


def signed_over(*components: str) -> SignedMessage:
    """A good signature of the right key over `components` alone."""
    message = signed()
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=Keys())
    now = datetime.now(UTC)
    signer.sign(message, key_id="t-1", created=now, covered_component_ids=components, use_existing_digest=True)
    return message


@pytest.mark.parametrize("left_out", COVERED)
def test_a_good_signature_over_less_is_refused(left_out: str) -> None:
    """It would leave one part of the request to whoever carries it."""
    assert verify(signed_over(*COVERED), BODY, find) == "t-1"
    with pytest.raises(SignatureRefused):
        verify(signed_over(*(name for name in COVERED if name != left_out)), BODY, find)


def test_an_unknown_or_another_key_is_refused() -> None:
    with pytest.raises(SignatureRefused):
        verify(signed(key_id="t-9"), BODY, find)
    stranger = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(SignatureRefused):
        verify(signed(), BODY, lambda _: stranger)


@pytest.mark.parametrize("sign_of", [1, -1])
def test_a_signature_of_another_time_is_stale(sign_of: int) -> None:
    edge = MAX_SKEW - timedelta(seconds=20)
    assert verify(signed(at=datetime.now(UTC) + sign_of * edge), BODY, find) == "t-1"
    for off in (MAX_SKEW + timedelta(seconds=20), timedelta(days=365)):
        with pytest.raises(SignatureStale):
            verify(signed(at=datetime.now(UTC) + sign_of * off), BODY, find)


def test_without_a_time_it_is_refused() -> None:
    message = signed()
    bare = message.headers["Signature-Input"].split(";created=")
    with pytest.raises(SignatureRefused):
        verify(with_header(message, "Signature-Input", bare[0] + ";" + bare[1].split(";", 1)[1]), BODY, find)


@given(
    st.text(st.characters(codec="latin-1"), max_size=200),
    st.sampled_from(["Signature-Input", "Signature", "Content-Digest"]),
)
def test_any_header_is_refused_and_never_more_than_that(value: str, name: str) -> None:
    with pytest.raises(SignatureRefused):
        verify(with_header(signed(), name, value), BODY, find)


def test_a_key_that_somebody_else_looks_up_is_asked_for_by_its_name_once() -> None:
    asked: list[str] = []

    def look(key_id: str) -> Ed25519PublicKey | None:
        asked.append(key_id)
        return KEY.public_key()

    verify(signed(), BODY, look)
    assert asked == ["t-1"]
