"""The keys that rotating credentials are checked with at this till, read once at start."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from loyalty.credentials import SECRET_BYTES, Credential, VerifySignature, verify
from pos_client.config import CredentialsConfig


class KeyUnusable(Exception):
    """A key or secret cannot be used; the text is one line: what, where, what to do. Nothing of the key is in it."""


class CredentialReader:
    """Verifies credentials."""

    def __init__(self, programme_secrets: Sequence[bytes] = (), public_keys: Sequence[Ed25519PublicKey] = ()) -> None:
        self._programme_secrets = tuple(programme_secrets)
        self._verify_signature = signature_check(public_keys) if public_keys else None

    @classmethod
    def from_config(cls, config: CredentialsConfig) -> CredentialReader:
        """With the keys of section [credentials].

        Raises:
            KeyUnusable: a secret's file is missing, open to others, or holds no secret.
        """
        return cls(
            [read_secret(path) for path in config.totp_secret_files],
            [Ed25519PublicKey.from_public_bytes(base64.b64decode(text)) for text in config.public_keys],
        )

    def verify(self, text: str, now_step: int) -> Credential:
        """Who shows `text`, checked with this till's keys at `now_step`.

        Raises:
            CredentialRefused: as `loyalty.credentials.verify`.
        """
        return verify(
            text,
            now_step=now_step,
            programme_secrets=self._programme_secrets,
            verify_signature=self._verify_signature,
        )


def signature_check(public_keys: Sequence[Ed25519PublicKey]) -> VerifySignature:
    """Says of a signature whether one of `public_keys` made it (RFC 8032 section 5.1.7)."""

    def check(signature: bytes, message: bytes) -> bool:
        for key in public_keys:
            try:
                key.verify(signature, message)
            except InvalidSignature:
                continue
            return True
        return False

    return check


def read_secret(path: Path) -> bytes:
    """Read a programme secret: 64 hex digits in a file that only its owner may read.

    Raises:
        KeyUnusable: missing, unreadable, open to others, or not a secret.
    """
    wanted = f"expected {SECRET_BYTES * 2} hex digits, as openssl rand -hex {SECRET_BYTES} makes them"
    try:
        secret = bytes.fromhex(_read_private(path).decode("ascii").strip())
    except ValueError as error:
        raise KeyUnusable(f"{path} holds no programme secret: {wanted}") from error
    if len(secret) != SECRET_BYTES:
        raise KeyUnusable(f"{path} holds no programme secret: {wanted}, got {len(secret) * 2}")
    return secret


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Read an issuer's key: Ed25519, PKCS#8 in PEM without a pass-phrase, in a file that only its owner may read.

    Raises:
        KeyUnusable: missing, unreadable, open to others, or not such a key.
    """
    try:
        key = load_pem_private_key(_read_private(path), None)
    except (ValueError, TypeError) as error:  # TypeError: it has a pass-phrase
        raise KeyUnusable(
            f"{path} holds no usable key: expected PEM, as openssl genpkey -algorithm ed25519 makes"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path} holds a key of another kind: expected Ed25519, openssl genpkey -algorithm ed25519")
    return key


def _read_private(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnusable(f"{path} can be read by others: run chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise KeyUnusable(
            f"{path} cannot be read: {error.strerror}; put the file there, or correct its path"
        ) from error
