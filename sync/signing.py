"""Signed requests (RFC 9421, Ed25519) with a digest of the body (RFC 9530), for both ends of the wire."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)

COVERED = ("@method", "@path", "@query", "content-digest", "spaarpunt-protocol")
"""What a signature covers. Not the authority: a TLS proxy in front of head office may rewrite it."""

MAX_SKEW = timedelta(minutes=5)
"""A signature older or newer than this is refused; the till learns head office's time and signs again."""

ENROL_KEY_ID = "enrol"
"""Key id of an enrolment, which is signed with the key that it carries."""


class SignatureRefused(Exception):
    """No valid signature of a known terminal."""


class SignatureStale(SignatureRefused):
    """The signature is outside `MAX_SKEW` of this clock."""


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """The parts of a request that a signature is over; `url` is absolute."""

    method: str
    url: str
    headers: MutableMapping[str, str]


class _Resolver(HTTPSignatureKeyResolver):
    def __init__(self, private: Ed25519PrivateKey | None, find: Callable[[str], Ed25519PublicKey | None]) -> None:
        self._private = private
        self._find = find

    def resolve_private_key(self, key_id: str) -> Any:
        return self._private

    def resolve_public_key(self, key_id: str) -> Any:
        return self._find(key_id)


class _Stale(InvalidSignature):
    pass


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = MAX_SKEW

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        created = sig_input.params.get("created")
        if isinstance(created, int):
            age = datetime.now(UTC).timestamp() - created
            if abs(age) > MAX_SKEW.total_seconds():
                raise _Stale("created is outside the allowed skew")
        super().validate_created_and_expires(sig_input, max_age=max_age)  # type: ignore[no-untyped-call]


def sign(message: SignedMessage, body: bytes, key: Ed25519PrivateKey, key_id: str, created: datetime) -> None:
    """Add Content-Digest, Signature-Input and Signature to `message.headers`.

    Args:
        body: the bytes as sent, after compression.
        created: head office's time as far as the terminal knows it.
    """
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=_Resolver(key, lambda _: None))
    signer.sign(message, key_id=key_id, created=created, body=body, covered_component_ids=COVERED[:3] + COVERED[4:])


def verify(message: SignedMessage, body: bytes, find_key: Callable[[str], Ed25519PublicKey | None]) -> str:
    """Check a request and return the key id that signed it.

    Args:
        body: the bytes as received, before decompression.
        find_key: public key for a key id, or None when unknown or revoked.

    Raises:
        SignatureStale: valid form, but made at another time.
        SignatureRefused: anything else that is not a good signature over all of `COVERED`.
    """
    verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=_Resolver(None, find_key))
    try:
        results = verifier.verify(message, max_age=MAX_SKEW, require_components=COVERED, body=body)
    except _Stale as error:
        raise SignatureStale(str(error)) from error
    except InvalidSignature as error:
        raise SignatureRefused(str(error)) from error
    return str(results[0].parameters["keyid"])


def why_refused(message: SignedMessage, body: bytes) -> str:
    """What to mend about a request that `verify` refused, for who writes a client; nothing the sender does not know.

    Args:
        body: the bytes as received, before decompression.
    """
    headers = {name.lower(): value for name, value in message.headers.items()}
    for name in ("Signature-Input", "Signature", "Content-Digest"):
        if not headers.get(name.lower()):
            return f"expected a signed request (RFC 9421 with Ed25519), got one without {name}"
    named = headers["signature-input"]
    if missing := [f'"{component}"' for component in COVERED if f'"{component}"' not in named]:
        return f"expected a signature that covers {', '.join(missing)} as well"
    if missing := [name for name in ("created", "keyid") if f";{name}=" not in named]:
        return f"expected a signature with the parameters created and keyid, got one without {' and '.join(missing)}"
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")
    if f"sha-256=:{digest}:" not in headers["content-digest"]:
        return "expected Content-Digest to be the sha-256 of the body as sent: compressed, and of no bytes without one"
    return (
        "the signature does not verify with the key known by its keyid ('enrol': the key in the body): "
        "sign with that key, over the signature base of RFC 9421 2.5"
    )


def certified(terminal: str, epoch: int, public_key: bytes) -> bytes:
    """What head office signs to say that `public_key` is that of `terminal` in `epoch`: a till's certificate.

    A purpose, NUL, the epoch (4 bytes, big-endian), the key (32 bytes), and the terminal's id.
    """
    return b"spaarpunt terminal key\x00" + epoch.to_bytes(4, "big") + public_key + terminal.encode()
