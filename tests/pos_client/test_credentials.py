"""Rotating credentials at the till: recognised, used once, and never told to anyone; and drawn by the command."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from drivers.decoding.decode import decode
from drivers.events import DataEvent
from drivers.recognition.recognise import recognise_frame, recognise_symbol
from loyalty.credentials import (
    STEP_S,
    Credential,
    CredentialRefused,
    Fault,
    Form,
    issue_signed,
    issue_totp,
    member_secret,
    step_at,
    verify,
)
from pos_client.app import StartError, build_runtime
from pos_client.cli import main
from pos_client.config import ConfigError, load_config
from pos_client.credentials import CredentialReader, KeyUnusable, read_private_key, read_secret, signature_check
from pos_client.events import EventKind, TillEvent
from pos_client.plugin.problems import STATUS, explain
from pos_client.reckoning import TillError, card_patterns
from pos_client.runtime import Runtime
from pos_client.screen.words import NOTICES
from pos_client.till import Till
from sync.terminal import wall_ms
from tests.support.entries import basket
from tests.support.till import FATIMA, FORMATS, JORIS, NOOR, SANNE, UNKNOWN_CARD, card_text, make_runtime

SECRET = bytes(range(32))
ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(ISSUER.public_key().public_bytes_raw()).decode()
EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
# 21 November 2026 13:02:00 UTC, the first second of a step.
NOON = 1_795_266_120_000

ISSUE: dict[Form, Callable[[str, int], str]] = {
    Form.TOTP: lambda member, step: issue_totp(member, step, member_secret(SECRET, member)),
    Form.SIGNED: lambda member, step: issue_signed(member, step, ISSUER.sign),
}


class Clock:
    """A clock that the test sets. Unix ms UTC."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    @property
    def step(self) -> int:
        return step_at(self.now_ms)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    return write(tmp_path / "totp.secret", SECRET.hex().encode() + b"\n")


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def till(runtime: Runtime, clock: Clock) -> Till:
    return started(runtime, clock)


def started(runtime: Runtime, clock: Clock) -> Till:
    """The till's program as it starts, on what is on its disk."""
    return Till(
        runtime.store,
        runtime.terminal,
        formats=FORMATS,
        bus=runtime.bus,
        time_zone="Europe/Amsterdam",
        business_day_starts=time(4),
        session_timeout_s=1800,
        credentials=CredentialReader([SECRET], [ISSUER.public_key()]),
        now_ms=clock,
    )


def write(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def pem(key: Ed25519PrivateKey | rsa.RSAPrivateKey, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def heard(runtime: Runtime) -> list[TillEvent]:
    events: list[TillEvent] = []
    runtime.bus.listen(events.append)
    return events


def refused(events: list[TillEvent]) -> list[str]:
    return [event.data["code"] for event in events if event.kind is EventKind.CARD_REFUSED]


def account(till: Till, session: str) -> str | None:
    holder = till.quote(session).holder
    return holder.account if holder else None


# -- at the till ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", Form)
def test_a_credential_is_the_members_card(runtime: Runtime, till: Till, clock: Clock, form: Form) -> None:
    events = heard(runtime)
    till.open_session("bon-1")
    till.set_basket("bon-1", basket(2340))
    holder = till.present_card(ISSUE[form](SANNE.card, clock.step), "QR")
    assert holder is not None
    assert holder.account == SANNE.account
    assert till.quote("bon-1").rotating
    booked = till.bookings.commit("bon-1")
    assert (booked.entry.account, booked.entry.points) == (SANNE.account, 34)
    assert events[-1].kind is EventKind.SALE_BOOKED
    assert SANNE.card not in booked.entry.encode().decode()


def test_a_number_alone_proves_nothing(till: Till, clock: Clock) -> None:
    till.open_session("bon-1")
    assert not till.identify("bon-1", SANNE.card).rotating
    assert till.identify("bon-1", ISSUE[Form.TOTP](SANNE.card, clock.step)).rotating
    # The card again, after the phone: still the same, proven member.
    assert till.identify("bon-1", SANNE.card).rotating
    assert not till.identify("bon-1", JORIS.card).rotating
    assert not till.identify("bon-1", SANNE.card).rotating


@pytest.mark.parametrize("form", Form)
def test_a_code_counts_for_one_sale(runtime: Runtime, till: Till, clock: Clock, form: Form) -> None:
    text = ISSUE[form](SANNE.card, clock.step)
    till.open_session("bon-1")
    till.present_card(text, "QR")
    till.open_session("bon-2")
    events = heard(runtime)
    for late in (0, 10_000, 29_999, 59_999):
        clock.now_ms = NOON + late
        assert till.present_card(text, "QR") is None
        with pytest.raises(CredentialRefused) as caught:
            till.identify("bon-2", text)
        assert caught.value.code == "credential_replayed"
    clock.now_ms = NOON + 60_000
    assert till.present_card(text, "QR") is None
    assert refused(events) == ["credential_replayed"] * 4 + ["credential_expired"]
    assert account(till, "bon-2") is None
    other = Form.SIGNED if form is Form.TOTP else Form.TOTP
    clock.now_ms = NOON
    assert till.present_card(ISSUE[other](SANNE.card, clock.step), "QR") is None
    assert till.present_card(ISSUE[form](SANNE.card, clock.step + 1), "QR") is not None


def test_a_code_read_twice_for_the_same_sale_is_one_use(runtime: Runtime, till: Till, clock: Clock) -> None:
    text = ISSUE[Form.SIGNED](SANNE.card, clock.step)
    events = heard(runtime)
    till.present_card(text, "QR")
    till.present_card(text, "QR")
    quote = till.open_session("bon-1")
    assert quote.rotating
    till.present_card(text, "QR")
    assert till.identify("bon-1", text).rotating
    assert refused(events) == []
    till.bookings.void("bon-1")
    assert till.present_card(text, "QR") is None
    assert till.waiting is None
    # Sanne's used code does nothing for a sale that Joris proved.
    till.open_session("bon-2")
    till.identify("bon-2", ISSUE[Form.TOTP](JORIS.card, clock.step))
    assert till.present_card(text, "QR") is None
    assert account(till, "bon-2") == JORIS.account
    # Nor for one where only her number was scanned.
    till.open_session("bon-3")
    till.identify("bon-3", SANNE.card)
    assert till.present_card(text, "QR") is None
    with pytest.raises(CredentialRefused):
        till.identify("bon-3", text)
    assert not till.quote("bon-3").rotating


@pytest.mark.parametrize("form", Form)
def test_a_restart_lets_no_code_in_again(runtime: Runtime, till: Till, clock: Clock, form: Form) -> None:
    text = ISSUE[form](SANNE.card, clock.step)
    assert till.present_card(text, "QR") is not None
    again = started(runtime, clock)
    assert again.present_card(text, "QR") is None
    assert again.present_card(ISSUE[form](JORIS.card, clock.step), "QR") is not None
    kept = runtime.store.rows("SELECT member FROM credential_use")
    assert len(kept) == 2
    assert SANNE.card not in repr(kept)
    clock.now_ms += 2 * STEP_S * 1000
    assert again.present_card(ISSUE[form](SANNE.card, clock.step), "QR") is not None
    assert len(runtime.store.rows("SELECT member FROM credential_use")) == 1  # those that have expired are gone


def test_a_proof_that_waits_goes_with_the_next_sale_only(till: Till, clock: Clock) -> None:
    till.present_card(ISSUE[Form.TOTP](SANNE.card, clock.step), "QR")
    till.present_card(SANNE.card, "EAN-13")
    assert till.open_session("bon-1").rotating
    assert not till.open_session("bon-2").rotating
    till.bookings.void("bon-2")
    till.present_card(ISSUE[Form.TOTP](JORIS.card, clock.step), "QR")
    till.present_card(SANNE.card, "EAN-13")
    quote = till.open_session("bon-3")
    assert not quote.rotating
    assert account(till, "bon-3") == SANNE.account


def test_a_code_is_never_told_to_a_listener(runtime: Runtime, till: Till, clock: Clock) -> None:
    events = heard(runtime)
    good = ISSUE[Form.TOTP](FATIMA.card, clock.step)
    foreign = "8710400000006"
    shown = [
        "S1." + good[3:-1] + str((int(good[-1]) + 1) % 10),
        ISSUE[Form.TOTP](FATIMA.card, clock.step - 2),
        ISSUE[Form.SIGNED](FATIMA.card, clock.step + 2),
        ISSUE[Form.TOTP](foreign, clock.step),
        ISSUE[Form.SIGNED](foreign, clock.step),
        "S1.",
        "S2:nothing",
        good,
    ]
    for text in shown:
        till.present_card(text, "QR")
    assert refused(events) == [
        "credential_wrong_code",
        "credential_expired",
        "credential_future",
        *["credential_malformed"] * 4,
    ]
    assert {event.kind for event in events} == {EventKind.CARD_REFUSED, EventKind.CARD_PRESENTED}
    told = json.dumps([event.data for event in events])
    assert not any(part in told for part in (FATIMA.card, foreign, good[-8:], "nothing"))


def test_a_foreign_card_does_not_use_up_a_code(till: Till, clock: Clock) -> None:
    with pytest.raises(CredentialRefused) as caught:
        till.open_session("bon-1")
        till.identify("bon-1", ISSUE[Form.SIGNED]("8710400000006", clock.step))
    assert caught.value.fault is Fault.MALFORMED
    assert caught.value.__cause__ is None


def test_blocked_and_unknown_members(runtime: Runtime, till: Till, clock: Clock) -> None:
    events = heard(runtime)
    assert till.present_card(ISSUE[Form.TOTP](NOOR.card, clock.step), "QR") is None
    assert refused(events) == ["blocked"]
    till.open_session("bon-1")
    with pytest.raises(TillError) as caught:
        till.identify("bon-1", ISSUE[Form.TOTP](NOOR.card, clock.step + 1))
    assert caught.value.code == "card_blocked"
    holder = till.present_card(ISSUE[Form.TOTP](UNKNOWN_CARD, clock.step), "QR")
    assert holder is not None
    assert not holder.known


def test_a_till_with_a_wrong_clock_goes_by_head_offices_time(runtime: Runtime, till: Till, clock: Clock) -> None:
    ahead = 3_600_000
    clock.now_ms = NOON + ahead
    assert till.present_card(ISSUE[Form.TOTP](SANNE.card, step_at(NOON)), "QR") is None
    runtime.mirror.heard(clock.now_ms, NOON)
    assert till.present_card(ISSUE[Form.TOTP](SANNE.card, step_at(NOON)), "QR") is not None
    assert till.present_card(ISSUE[Form.TOTP](SANNE.card, clock.step), "QR") is None


def test_a_till_without_keys_says_so(runtime: Runtime) -> None:
    events = heard(runtime)
    for form in Form:
        assert runtime.till.present_card(ISSUE[form](SANNE.card, step_at(wall_ms())), "QR") is None
    assert refused(events) == ["credential_no_key"] * 2


def test_every_refusal_has_a_status_and_a_sentence() -> None:
    for fault in Fault:
        assert explain(CredentialRefused(fault))[0] == fault
        assert STATUS[fault] in {409, 422}
        assert fault.value in NOTICES


@given(st.sampled_from(FORMATS), st.integers(0, 99_999), st.integers(0, 2**32 - 1))
def test_the_payment_guard_lets_codes_pass(card_format: Any, number: int, step: int) -> None:
    for form in Form:
        text = ISSUE[form](card_text(card_format, number), step)
        event = recognise_frame("scanner", bytearray(b"]Q1" + text.encode()), card_patterns(FORMATS), 0)
        assert isinstance(event, DataEvent)
        assert event.scan_data_label == text


# -- keys -----------------------------------------------------------------------------------------------------------


def test_keys_come_from_the_configuration(tmp_path: Path, secret_file: Path) -> None:
    made = make_runtime(
        tmp_path / "till", credentials={"public_keys": [PUBLIC], "totp_secret_files": [str(secret_file)]}
    )
    for form in Form:
        made.till.open_session(form)
        # The real clock may pass into the next step meanwhile: the tolerance covers it.
        assert made.till.identify(
            form, ISSUE[form](SANNE.card if form is Form.TOTP else JORIS.card, step_at(wall_ms()))
        ).rotating
    made.store.close()


@pytest.mark.parametrize("keys", [["AAAA"], [PUBLIC[:-1]], [PUBLIC] * 3])
def test_public_keys_that_are_none(tmp_path: Path, keys: list[str]) -> None:
    path = tmp_path / "spaarpunt.toml"
    path.write_text(f"[credentials]\npublic_keys = {json.dumps(keys)}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"credentials\.public_keys"):
        load_config(path)


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (SECRET.hex().encode(), 0o644, "can be read by others: run chmod 600"),
        (SECRET.hex().encode()[:-2], 0o600, "expected 64 hex digits, as openssl rand -hex 32 makes them, got 62"),
        (b"not hex", 0o600, "expected 64 hex digits"),
        (b"\xff\xfe", 0o600, "expected 64 hex digits"),
    ],
)
def test_a_secret_that_cannot_be_used(tmp_path: Path, content: bytes, mode: int, text: str) -> None:
    path = write(tmp_path / "bad", content, mode)
    with pytest.raises(KeyUnusable, match=text) as caught:
        read_secret(path)
    assert SECRET.hex()[:20] not in str(caught.value)


def test_a_till_does_not_start_with_a_secret_that_is_not_there(runtime: Runtime, tmp_path: Path) -> None:
    section = runtime.config.credentials.model_copy(update={"totp_secret_files": (tmp_path / "absent",)})
    config = runtime.config.model_copy(update={"credentials": section})
    with pytest.raises(StartError, match="absent cannot be read: No such file or directory"):
        build_runtime(config, runtime.store)


def test_an_issuers_key_that_cannot_be_used(tmp_path: Path) -> None:
    good = write(tmp_path / "good.pem", pem(ISSUER))
    assert read_private_key(good).private_bytes_raw() == ISSUER.private_bytes_raw()
    other = pem(rsa.generate_private_key(65537, 2048))
    for content, text in (
        (other, "another kind: expected Ed25519"),
        (pem(ISSUER, BestAvailableEncryption(b"x")), "expected PEM"),
        (b"x", "expected PEM"),
    ):
        with pytest.raises(KeyUnusable, match=text):
            read_private_key(write(tmp_path / "bad.pem", content))
    with pytest.raises(KeyUnusable, match="can be read by others"):
        read_private_key(write(tmp_path / "open.pem", pem(ISSUER), 0o640))


# -- the command ----------------------------------------------------------------------------------------------------


def draw(*arguments: str | Path) -> Result:
    words = ["--config", str(EXAMPLE), "cards", "credential", *map(str, arguments)]
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize("form", Form)
def test_drawn_read_back_and_verified(tmp_path: Path, secret_file: Path, form: Form) -> None:
    picture = tmp_path / "code.png"
    key: list[str | Path] = (
        ["--secret-file", secret_file] if form is Form.TOTP else ["--key-file", write(tmp_path / "k", pem(ISSUER))]
    )
    at = "2026-11-21T14:02:29+01:00"
    result = draw("--member", SANNE.card, "--form", form, "--at", at, *key, "--out", picture, "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["text"] == ISSUE[form](SANNE.card, step_at(NOON))
    assert (data["shown_from"], data["shown_until"]) == ("2026-11-21T13:02:00+00:00", "2026-11-21T13:02:30+00:00")
    assert data["public_key"] == (PUBLIC if form is Form.SIGNED else None)
    image = np.asarray(cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    (symbol,) = decode(image)
    assert symbol.text == data["text"]
    event = recognise_symbol("camera", symbol, card_patterns(FORMATS), 0)
    assert isinstance(event, DataEvent)
    read = verify(
        event.scan_data_label,
        now_step=step_at(NOON),
        programme_secrets=[SECRET],
        verify_signature=signature_check([ISSUER.public_key()]),
    )
    assert read == Credential(SANNE.card, step_at(NOON), form)


def test_drawn_as_svg_and_printed_as_text(tmp_path: Path, secret_file: Path) -> None:
    picture = tmp_path / "code.svg"
    before = step_at(wall_ms())
    result = draw("--member", SANNE.card, "--secret-file", secret_file, "--out", picture)
    assert result.exit_code == 0
    steps = range(before, step_at(wall_ms()) + 1)
    assert result.stdout.splitlines()[0] in {ISSUE[Form.TOTP](SANNE.card, step) for step in steps}
    assert "<svg" in picture.read_text(encoding="utf-8")


def test_the_first_secret_of_the_configuration_is_used(tmp_path: Path, secret_file: Path) -> None:
    config = tmp_path / "spaarpunt.toml"
    text = EXAMPLE.read_text(encoding="utf-8")
    config.write_text(
        text.replace("totp_secret_files = []", f'totp_secret_files = ["{secret_file}"]'), encoding="utf-8"
    )
    at = datetime.fromtimestamp(NOON // 1000, UTC).isoformat()
    result = CliRunner().invoke(
        main, ["--config", str(config), "cards", "credential", "--member", SANNE.card, "--at", at]
    )
    assert result.stdout.strip() == ISSUE[Form.TOTP](SANNE.card, step_at(NOON))
    assert NOON % (STEP_S * 1000) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--member", SANNE.card], 2, "takes --secret-file"),
        (["--member", SANNE.card, "--form", "signed"], 2, "takes --key-file"),
        (["--member", SANNE.card, "--form", "signed", "--secret-file", "SECRET"], 2, "takes --key-file"),
        (["--member", SANNE.card, "--key-file", "SECRET"], 2, "takes --secret-file"),
        (["--member", SANNE.card, "--form", "signed", "--key-file", "SECRET"], 1, "expected PEM"),
        (["--member", SANNE.card, "--secret-file", "/absent"], 1, "/absent cannot be read"),
        (["--member", "4111111111111111", "--secret-file", "SECRET"], 1, "expected 13 characters"),
        (["--member", SANNE.card, "--secret-file", "SECRET", "--at", "noon"], 2, "got 'noon'"),
        (["--member", SANNE.card, "--secret-file", "SECRET", "--at", "2026-11-21T14:02"], 2, "with its offset"),
        (["--member", SANNE.card, "--secret-file", "SECRET", "--at", "1969-01-01T00:00Z"], 2, "after 1970"),
        (["--member", SANNE.card, "--secret-file", "SECRET", "--out", "code.jpg"], 2, ".png or .svg"),
        (["--member", SANNE.card, "--secret-file", "SECRET", "--out", "/absent/code.png"], 1, "cannot be written"),
    ],
)
def test_wrong_use_is_told_in_a_line(secret_file: Path, arguments: list[str], code: int, text: str) -> None:
    result = draw(*(secret_file if argument == "SECRET" else argument for argument in arguments))
    assert (result.exit_code, result.stdout) == (code, "")
    assert text in " ".join(result.stderr.split())
    assert SECRET.hex() not in result.stderr
    assert "4111" not in result.stderr
