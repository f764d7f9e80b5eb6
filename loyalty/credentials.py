"""The rotating QR credential: issued for one 30-second step, verified offline, good for one use. See decision 006.

Two forms. `S1.<member key>.<step>.<8-digit code>` carries a time-based one-time password (RFC 6238); who checks it must
hold the programme secret. `S2:<Base45>` carries an Ed25519 signature (RFC 8032) over the step and the member key; who
checks it needs a public key only. The member key is a card number of one of the shop's own formats.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from loyalty import base45
from loyalty.cards import MAX_CARD_LENGTH
from loyalty.errors import LoyaltyError

STEP_S = 30
"""Seconds one credential is shown (RFC 6238 section 5.2 recommends 30): a photo of it is worthless soon after."""
TOLERANCE_STEPS = 1
"""Steps a phone's clock may be off, either way: RFC 6238 section 5.2 advises one at most, for the time a scan takes.
Phones are set by their network to within a second; half a minute covers them, and a hand that is slow."""
DIGITS = 8
"""Digits of the code: one guess in a hundred million; RFC 4226 section 5.3 allows 6 to 8."""
SECRET_BYTES = 32
"""Length of the programme secret and of each member's secret: the output of SHA-256 (RFC 4226 section 4, R6: ≥ 16)."""
MAX_USED = 1024
"""Uses remembered for replays: eleven a second over the 90 seconds a credential can live, which no till reaches."""

_S1, _S2 = "S1.", "S2:"
_SIGNED_FOR = b"spaarpunt credential S2\x00"
_DERIVED_FOR = b"spaarpunt credential S1\x00"
_STEP_BYTES = 4
"""Good until the year 6053."""
_SIGNATURE_BYTES = 64
_BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MEMBER = re.compile(rf"[0-9A-Z]{{6,{MAX_CARD_LENGTH}}}")
# One text for each value: no sign, no leading zero, no digit of another script.
_STEP = r"0|[1-9][0-9]{0,9}"
_TOTP_TEXT = re.compile(rf"S1\.(?P<member>{_MEMBER.pattern})\.(?P<step>{_STEP})\.(?P<code>[0-9]{{{DIGITS}}})")
_LONGEST = len(_S2) + (_STEP_BYTES + _SIGNATURE_BYTES + MAX_CARD_LENGTH) * 3 // 2

VerifySignature = Callable[[bytes, bytes], bool]
"""Says whether a signature (64 bytes) over a message is by a key that is trusted: `verify(signature, message)`."""


class Form(StrEnum):
    """How a credential proves itself."""

    TOTP = "totp"
    SIGNED = "signed"


class Fault(StrEnum):
    """Why a credential is refused; stable codes."""

    MALFORMED = "credential_malformed"
    NO_KEY = "credential_no_key"
    EXPIRED = "credential_expired"
    FUTURE = "credential_future"
    WRONG_CODE = "credential_wrong_code"
    REPLAYED = "credential_replayed"


_TEXTS = {
    Fault.MALFORMED: "expected S1.<member key>.<step>.<8 digits> or S2:<Base45> with a card number of this shop: "
    "show the code again",
    Fault.NO_KEY: "this till has no key for codes of this form: scan the card, or configure [credentials]",
    Fault.EXPIRED: "this code is of an earlier time: show the newest one, and set the phone's clock by the network",
    Fault.FUTURE: "this code is of a later time: set the phone's clock by the network",
    Fault.WRONG_CODE: "this code was not made for this member at this time: show the newest one",
    Fault.REPLAYED: f"this code was used already: wait for the next one, at most {STEP_S} seconds",
}


class CredentialRefused(LoyaltyError):
    """A credential that does not count; `code` is the `Fault`'s value. Nothing of what was shown is in the text."""

    def __init__(self, fault: Fault) -> None:
        self.code = fault.value
        self.fault = fault
        super().__init__(_TEXTS[fault])


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that verified: who, and for which step. The member key is never in the repr."""

    member: str = field(repr=False)
    step: int
    form: Form


def is_credential(text: str) -> bool:
    """Whether `text` means to be a credential, valid or not. No card format can match one that does."""
    return text.startswith((_S1, _S2))


def step_at(at_ms: int) -> int:
    """The step at a moment (Unix milliseconds UTC): T of RFC 6238 section 4.2, with X = 30 and T0 = 0."""
    return at_ms // (STEP_S * 1000)


def hotp(secret: bytes, counter: int, digits: int, algorithm: Literal["sha1", "sha256", "sha512"]) -> str:
    """The one-time password for a counter (RFC 4226 section 5.3; with SHA-2: RFC 6238 section 1.2).

    Args:
        counter: 0 to 2**64 - 1.
        digits: 6 to 8.
    """
    mac = hmac.digest(secret, counter.to_bytes(8, "big"), algorithm)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def member_secret(programme_secret: bytes, member: str) -> bytes:
    """The secret that one member's phone holds: HKDF-Expand with SHA-256, one block (RFC 5869 section 2.3).

    The programme secret is random, so there is nothing to extract first (RFC 5869 section 3.3).

    Raises:
        ValueError: the programme secret is not `SECRET_BYTES` long.
    """
    if len(programme_secret) != SECRET_BYTES:
        raise ValueError(f"expected a programme secret of {SECRET_BYTES} bytes, got {len(programme_secret)}")
    return hmac.digest(programme_secret, _DERIVED_FOR + member.encode("ascii") + b"\x01", hashlib.sha256)


def issue_totp(member: str, step: int, secret: bytes) -> str:
    """The S1 text of a member for a step, as the member's phone shows it: HMAC-SHA-256, 8 digits.

    Args:
        secret: the member's own, from `member_secret`.

    Raises:
        ValueError: not a member key, or a step out of range.
    """
    _check(member, step)
    return f"{_S1}{member}.{step}.{hotp(secret, step, DIGITS, 'sha256')}"


def issue_signed(member: str, step: int, sign: Callable[[bytes], bytes]) -> str:
    """The S2 text of a member for a step: Base45 of step (4 bytes, big-endian), signature (64) and packed member key.

    The key is packed as the number that it is in base 36, with a 1 before it. That is shorter than its characters, and
    spells no long run of digits in Base45, as 00 (which is 646) would: a payment guard would take that for a bank card.

    Args:
        sign: makes the issuer's Ed25519 signature over a message.

    Raises:
        ValueError: not a member key, or a step out of range.
    """
    _check(member, step)
    head, key = step.to_bytes(_STEP_BYTES, "big"), member.encode("ascii")
    return _S2 + base45.encode(head + sign(_SIGNED_FOR + head + key) + _pack(member))


def verify(
    text: str, *, now_step: int, programme_secrets: Sequence[bytes], verify_signature: VerifySignature | None
) -> Credential:
    """Check a credential with no network. Whether it was used before is for `Used` to say.

    Args:
        now_step: the step this till is in, by the best clock it has.
        programme_secrets: what S1 is checked with: the one in force, and the one before while phones change over.
        verify_signature: what S2 is checked with; None when there is no key.

    Raises:
        CredentialRefused: malformed, no_key, expired, future or wrong_code.
    """
    if len(text) > _LONGEST:
        raise CredentialRefused(Fault.MALFORMED)
    if text.startswith(_S2):
        return _verify_signed(text, now_step, verify_signature)
    return _verify_totp(text, now_step, programme_secrets)


def _verify_totp(text: str, now_step: int, programme_secrets: Sequence[bytes]) -> Credential:
    parts = _TOTP_TEXT.fullmatch(text)
    if parts is None:
        raise CredentialRefused(Fault.MALFORMED)
    if not programme_secrets:
        raise CredentialRefused(Fault.NO_KEY)
    member, step = parts["member"], int(parts["step"])
    _check_time(step, now_step)
    code = parts["code"].encode("ascii")
    for programme_secret in programme_secrets:
        expected = hotp(member_secret(programme_secret, member), step, DIGITS, "sha256").encode("ascii")
        if hmac.compare_digest(expected, code):
            return Credential(member, step, Form.TOTP)
    raise CredentialRefused(Fault.WRONG_CODE)


def _verify_signed(text: str, now_step: int, verify_signature: VerifySignature | None) -> Credential:
    try:
        raw = base45.decode(text.removeprefix(_S2))
    except ValueError:
        raise CredentialRefused(Fault.MALFORMED) from None
    packed = raw[_STEP_BYTES + _SIGNATURE_BYTES :]
    member = _unpack(packed)
    # Packed anew: one text for each value here too.
    if not _MEMBER.fullmatch(member) or _pack(member) != packed:
        raise CredentialRefused(Fault.MALFORMED)
    if verify_signature is None:
        raise CredentialRefused(Fault.NO_KEY)
    head, signature = raw[:_STEP_BYTES], raw[_STEP_BYTES : _STEP_BYTES + _SIGNATURE_BYTES]
    step = int.from_bytes(head, "big")
    _check_time(step, now_step)
    if not verify_signature(signature, _SIGNED_FOR + head + member.encode("ascii")):
        raise CredentialRefused(Fault.WRONG_CODE)
    return Credential(member, step, Form.SIGNED)


def _pack(member: str) -> bytes:
    number = int("1" + member, 36)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _unpack(packed: bytes) -> str:
    """What `_pack` packed; for other bytes any text."""
    number, characters = int.from_bytes(packed, "big"), []
    while number:
        number, value = divmod(number, 36)
        characters.append(_BASE_36[value])
    return "".join(reversed(characters))[1:]


def _check(member: str, step: int) -> None:
    if not _MEMBER.fullmatch(member):
        raise ValueError(f"expected a member key of 6 to {MAX_CARD_LENGTH} digits and capitals, got another text")
    if not 0 <= step < 1 << (8 * _STEP_BYTES):
        raise ValueError(f"expected a step of 0 to 2**{8 * _STEP_BYTES} - 1, got {step}")


def _check_time(step: int, now_step: int) -> None:
    if step < now_step - TOLERANCE_STEPS:
        raise CredentialRefused(Fault.EXPIRED)
    if step > now_step + TOLERANCE_STEPS:
        raise CredentialRefused(Fault.FUTURE)


class Used:
    """Which credentials were used, for as long as they could be shown again. Member and step count, not the form."""

    def __init__(self, uses: Iterable[tuple[str, int]] = ()) -> None:
        """Args: uses: those known already, by member and step."""
        self._used = set(uses)

    def take(self, credential: Credential, now_step: int) -> None:
        """Use `credential`, which has verified, at `now_step`.

        Raises:
            CredentialRefused: replayed. Also when `MAX_USED` are remembered: to forget one would let it in again.
        """
        oldest = now_step - TOLERANCE_STEPS
        self._used = {use for use in self._used if use[1] >= oldest}
        use = (credential.member, credential.step)
        if use in self._used or len(self._used) >= MAX_USED:
            raise CredentialRefused(Fault.REPLAYED)
        self._used.add(use)
