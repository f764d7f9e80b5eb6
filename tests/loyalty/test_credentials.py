"""Rotating credentials: the RFCs' vectors, and what must hold of every code that is shown."""

from __future__ import annotations

import dataclasses
import hashlib
import traceback
from typing import Literal

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from loyalty import base45
from loyalty.credentials import (
    MAX_USED,
    STEP_S,
    TOLERANCE_STEPS,
    Credential,
    CredentialRefused,
    Fault,
    Form,
    Used,
    hotp,
    is_credential,
    issue_signed,
    issue_totp,
    member_secret,
    step_at,
    verify,
)
from pos_client.credentials import signature_check

Algorithm = Literal["sha1", "sha256", "sha512"]

SECRET = bytes(range(32))
OLD_SECRET = bytes(range(32, 64))
# RFC 8032 section 7.1, TEST 1: a published key pair, so that texts here are the same at every run.
ISSUER = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
OLD_ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(32))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
CHECK = signature_check([ISSUER.public_key(), OLD_ISSUER.public_key()])
MEMBER = "2910123456784"
OTHER = "SP0000001230"
NOW = 59_843_281

# What NOW's texts of MEMBER are: OpenSSL's HMAC and Ed25519, and the reference implementation of Base45.
TOTP_NOW = "30193029"
SIGNED_NOW = (
    "S2:DK03I4 Q3WAT4626NTYUG9KPR61ZO70V0:SO2%B-82/OFM78XSA3N17.2N%T."
    "MVR2IBHN%TSXD9.+C*$6QZGI62%HG.O3L7C%0O$6D+A1O$96BJ/HFK0"
)

members = st.from_regex(r"[0-9A-Z]{6,48}", fullmatch=True)
steps = st.integers(0, 2**32 - 1)
forms = st.sampled_from(Form)


def issue(form: Form, member: str, step: int) -> str:
    if form is Form.TOTP:
        return issue_totp(member, step, member_secret(SECRET, member))
    return issue_signed(member, step, ISSUER.sign)


def packed(member: str) -> bytes:
    """A member key as it is in the signed form: in base 36, after a 1."""
    return bytes.fromhex(f"{int('1' + member, 36):x}".zfill((int("1" + member, 36).bit_length() + 7) // 8 * 2))


def check(text: str, now_step: int) -> Credential:
    return verify(text, now_step=now_step, programme_secrets=[SECRET, OLD_SECRET], verify_signature=CHECK)


def fault(text: str, now_step: int = NOW) -> Fault:
    with pytest.raises(CredentialRefused) as caught:
        check(text, now_step)
    return caught.value.fault


# -- vectors --------------------------------------------------------------------------------------------------------


# RFC 4226 Appendix D: secret "12345678901234567890", counters 0 to 9, 6 digits.
def test_hotp_vectors() -> None:
    codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert [hotp(b"12345678901234567890", counter, 6, "sha1") for counter in range(10)] == codes


# RFC 6238 Appendix B: 8 digits; the seed is the digits 1234567890 again and again, as long as the hash.
@pytest.mark.parametrize(
    ("at_s", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ],
)
def test_totp_vectors(at_s: int, sha1: str, sha256: str, sha512: str) -> None:
    codes: list[tuple[Algorithm, str]] = [("sha1", sha1), ("sha256", sha256), ("sha512", sha512)]
    for algorithm, code in codes:
        seed = (b"1234567890" * 7)[: hashlib.new(algorithm).digest_size]
        assert hotp(seed, step_at(at_s * 1000), 8, algorithm) == code


@given(members)
def test_member_secrets_are_hkdf(member: str) -> None:
    peer = HKDFExpand(hashes.SHA256(), 32, b"spaarpunt credential S1\x00" + member.encode())
    assert member_secret(SECRET, member) == peer.derive(SECRET)


def test_a_text_of_each_form_stays_what_it_is() -> None:
    # Phones in use show these.
    assert issue(Form.TOTP, MEMBER, NOW) == f"S1.{MEMBER}.{NOW}.{TOTP_NOW}"
    assert issue(Form.SIGNED, MEMBER, NOW) == SIGNED_NOW


# -- what verifies --------------------------------------------------------------------------------------------------


@given(forms, members, st.integers(10, 2**32 - 11), st.integers(-10, 10))
def test_a_code_verifies_in_its_step_and_the_tolerance_and_nowhere_else(
    form: Form, member: str, step: int, late: int
) -> None:
    text = issue(form, member, step)
    if abs(late) <= TOLERANCE_STEPS:
        assert check(text, step + late) == Credential(member, step, form)
    else:
        assert fault(text, step + late) is (Fault.EXPIRED if late > 0 else Fault.FUTURE)


@given(forms, steps)
def test_far_from_its_time_nothing_verifies(form: Form, step: int) -> None:
    text = issue(form, MEMBER, NOW)
    if abs(step - NOW) > TOLERANCE_STEPS:
        assert fault(text, step) in {Fault.EXPIRED, Fault.FUTURE}


@given(forms, st.data())
def test_a_changed_character_never_verifies(form: Form, data: st.DataObject) -> None:
    text = issue(form, MEMBER, NOW)
    place = data.draw(st.integers(0, len(text) - 1))
    change = st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:") | st.characters()
    char = data.draw(change.filter(lambda char: char != text[place]))
    assert fault(text[:place] + char + text[place + 1 :])


@given(forms, st.integers(0, 200), st.text(min_size=1, max_size=3))
def test_nothing_can_be_put_in_or_left_out(form: Form, place: int, extra: str) -> None:
    text = issue(form, MEMBER, NOW)
    assert fault(text[:place] + extra + text[place:])
    assert place >= len(text) or fault(text[:place])


def test_each_digit_of_the_code_counts() -> None:
    text = issue(Form.TOTP, MEMBER, NOW)
    for place in range(len(text) - 8, len(text)):
        changed = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
        assert fault(changed) is Fault.WRONG_CODE


@given(members)
def test_another_members_code_is_refused(member: str) -> None:
    if member == MEMBER:
        return
    own, others = issue(Form.TOTP, MEMBER, NOW), issue(Form.TOTP, member, NOW)
    assert fault(f"S1.{member}.{NOW}.{own[-8:]}") is Fault.WRONG_CODE
    assert fault(f"S1.{MEMBER}.{NOW}.{others[-8:]}") is Fault.WRONG_CODE
    signed = base45.decode(issue(Form.SIGNED, MEMBER, NOW)[3:])
    assert fault("S2:" + base45.encode(signed[:68] + packed(member))) is Fault.WRONG_CODE


def test_another_step_with_the_same_code_is_refused() -> None:
    code = issue(Form.TOTP, MEMBER, NOW)[-8:]
    assert fault(f"S1.{MEMBER}.{NOW + 1}.{code}") is Fault.WRONG_CODE
    signed = base45.decode(issue(Form.SIGNED, MEMBER, NOW)[3:])
    assert fault("S2:" + base45.encode((NOW + 1).to_bytes(4, "big") + signed[4:])) is Fault.WRONG_CODE


def test_two_keys_of_each_kind_while_they_are_changed() -> None:
    for member in (MEMBER, OTHER):
        assert check(issue_totp(member, NOW, member_secret(OLD_SECRET, member)), NOW).member == member
        assert check(issue_signed(member, NOW, OLD_ISSUER.sign), NOW).member == member
    assert fault(issue_signed(MEMBER, NOW, STRANGER.sign)) is Fault.WRONG_CODE
    assert fault(issue_totp(MEMBER, NOW, member_secret(bytes(32), MEMBER))) is Fault.WRONG_CODE


def test_a_signature_for_another_purpose_is_none_here() -> None:
    head, key = NOW.to_bytes(4, "big"), MEMBER.encode()
    bare = "S2:" + base45.encode(head + ISSUER.sign(head + key) + packed(MEMBER))
    assert fault(bare) is Fault.WRONG_CODE


def test_without_keys_nothing_verifies() -> None:
    for form in Form:
        with pytest.raises(CredentialRefused) as caught:
            verify(issue(form, MEMBER, NOW), now_step=NOW, programme_secrets=[], verify_signature=None)
        assert caught.value.fault is Fault.NO_KEY


# -- any text -------------------------------------------------------------------------------------------------------


@given(st.text() | st.text("S12.:0123456789AB", max_size=90) | st.builds("S1.{}.{}.{}".format, members, steps, steps))
def test_any_text_is_refused_with_a_type(text: str) -> None:
    assert fault(text) in Fault


@given(st.binary(max_size=130))
def test_any_bytes_in_base45_are_refused_with_a_type(data: bytes) -> None:
    assert fault("S2:" + base45.encode(data)) in Fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "S1.",
        "S2:",
        "S2:A",
        f"s1.{MEMBER}.{NOW}.12345678",
        f"S1.{MEMBER}.0{NOW}.12345678",
        f"S1.{MEMBER}.+{NOW}.12345678",
        f"S1.{MEMBER}.٥٩٨٤٣٢٨١.12345678",
        f"S1.{MEMBER}.{NOW}.1234567",
        f"S1.{MEMBER}.{NOW}.12345678\n",
        f"S1.{MEMBER.lower()}x.{NOW}.12345678",
        f"S1.SHORT.{NOW}.12345678",
        "S1." + "9" * 100_000,
        "S2:" + "0" * 100_000,
        "S2:" + base45.encode(bytes(68) + b"\xff" * 48),
        "S2:" + base45.encode(bytes(68) + b"\x00" + packed(MEMBER)),
        "S2:" + base45.encode(bytes(68) + int("2" + MEMBER, 36).to_bytes(10, "big")),
        "S2:" + base45.encode(bytes(68) + packed("A" * 49)),
        "S2:" + base45.encode(bytes(68) + packed("A" * 5)),
        "S2:" + base45.encode(bytes(68)),
    ],
)
def test_malformed(text: str) -> None:
    assert fault(text) is Fault.MALFORMED


@given(forms, members, steps)
def test_every_issued_text_is_taken_for_a_credential(form: Form, member: str, step: int) -> None:
    text = issue(form, member, step)
    assert is_credential(text)
    # All in a QR code's alphanumeric mode (ISO/IEC 18004 7.3.4): a third smaller than bytes.
    assert set(text) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


@pytest.mark.parametrize("text", [MEMBER, OTHER, "S1000000001", "S2", "", "s1.x"])
def test_cards_are_not_credentials(text: str) -> None:
    assert not is_credential(text)


@pytest.mark.parametrize(("member", "step"), [("short", NOW), ("2910-12345", NOW), (MEMBER, -1), (MEMBER, 2**32)])
def test_what_cannot_be_issued(member: str, step: int) -> None:
    with pytest.raises(ValueError, match="expected a"):
        issue_totp(member, step, SECRET)
    with pytest.raises(ValueError, match="expected a"):
        issue_signed(member, step, ISSUER.sign)


@pytest.mark.parametrize("secret", [b"", SECRET[:-1], SECRET + b"\x00"])
def test_a_secret_of_another_length_is_refused(secret: bytes) -> None:
    with pytest.raises(ValueError, match=f"32 bytes, got {len(secret)}"):
        member_secret(secret, MEMBER)


# -- used once ------------------------------------------------------------------------------------------------------


@given(st.tuples(forms, forms), members, st.integers(1, 2**31), st.integers(-1, 1), st.integers(-1, 1))
def test_a_use_is_refused_for_as_long_as_the_code_lives(
    both: tuple[Form, Form], member: str, step: int, first: int, second: int
) -> None:
    used, (form, again) = Used(), both
    used.take(check(issue(form, member, step), step + first), step + first)
    with pytest.raises(CredentialRefused) as caught:
        used.take(check(issue(again, member, step), step + second), step + second)
    assert caught.value.fault is Fault.REPLAYED


@given(st.lists(st.tuples(st.sampled_from([MEMBER, OTHER, "ABCDEF"]), st.integers(-1, 1), st.integers(0, 3))))
def test_each_code_counts_exactly_once_while_time_goes_on(showings: list[tuple[str, int, int]]) -> None:
    used, now, counted = Used(), NOW, set()
    for member, shift, passed in showings:
        now += passed
        credential = Credential(member, now + shift, Form.TOTP)
        try:
            used.take(credential, now)
        except CredentialRefused as refused:
            assert refused.fault is Fault.REPLAYED
            assert credential in counted
        else:
            assert credential not in counted
            counted.add(credential)


def test_uses_are_forgotten_when_their_codes_have_expired_and_never_before() -> None:
    used = Used()
    crowd = [Credential(f"MEMBER{number}", NOW, Form.TOTP) for number in range(MAX_USED)]
    for credential in crowd:
        used.take(credential, NOW)
    newcomer = Credential("NEWCOMER", NOW + 1, Form.TOTP)
    for credential in (crowd[0], crowd[-1], newcomer):
        with pytest.raises(CredentialRefused):
            used.take(credential, NOW + TOLERANCE_STEPS)
    used.take(newcomer, NOW + TOLERANCE_STEPS + 1)


def test_steps_follow_the_clock() -> None:
    assert [step_at(ms) for ms in (0, STEP_S * 1000 - 1, STEP_S * 1000)] == [0, 0, 1]


# -- nothing leaks --------------------------------------------------------------------------------------------------


@given(forms, members, st.integers(-3, 3), st.booleans())
def test_a_refusal_tells_nothing_of_code_secret_or_member(form: Form, member: str, late: int, damaged: bool) -> None:
    text = issue(form, member, NOW)
    shown = text[:-1] + ("1" if text[-1] != "1" else "2") if damaged else text
    try:
        told = repr(check(shown, NOW + late))
    except CredentialRefused as error:
        told = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    for secret in (text[3:], shown[3:], text[-8:], SECRET.hex(), member_secret(SECRET, member).hex()):
        assert secret not in told
    assert len(member) < 10 or member not in told


def test_credentials_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        check(issue(Form.TOTP, MEMBER, NOW), NOW).step = 1  # type: ignore[misc]
