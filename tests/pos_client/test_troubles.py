"""What is wrong with a till: every code that can come has a sentence and a remedy in every language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import sync
from drivers.events import StatusUpdateEvent
from pos_client.i18n import LANGUAGES
from pos_client.plugin.answers import status_answer
from pos_client.room import LITTLE_SPACE_BYTES, NO_SPACE_BYTES
from pos_client.runtime import Runtime
from pos_client.screen.facts import read_facts
from pos_client.screen.memory import Memory
from pos_client.screen.shown import Message
from pos_client.screen.view import build_view
from pos_client.troubles import (
    SAID,
    Gravity,
    Trouble,
    known,
    space_trouble,
    troubles,
)
from sync.agent import SyncState
from sync.epochs import Doubt, Epochs
from sync.errors import OtherVersion, Rejected, ServerFault, StoreFull, SyncError, Unreachable, code_of
from sync.wire import DayProof
from sync.wire_mirror import ChangesPage, ParkedChange, ParkedState
from tests.support.till import SANNE, make_runtime

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path)
    yield made
    made.store.close()


def codes(runtime: Runtime) -> list[str]:
    return [trouble.code for trouble in troubles(runtime)]


def parked_change() -> ParkedChange:
    return ParkedChange(
        terminal="till-0002",
        till="kassa 2",
        epoch=1,
        seq=1,
        digest="0" * 64,
        code="unknown_card",
        text="the card belongs to no member here",
        state=ParkedState.OPEN,
        entry_kind="sale",
        card=None,
        points=10,
        business_date=date(2026, 11, 21),
        parked_ms=1000,
    )


def told_codes() -> set[str]:
    """The codes of every notice that sync's own source keeps for the manager."""
    found = set()
    for path in Path(sync.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "tell" and len(node.args) == 3:
                found.add(node.args[1].value if isinstance(node.args[1], ast.Constant) else "stream_conflict")
    return found


def refusals() -> set[str]:
    """The codes that docs/protocol.md says stop a till, or make it take back."""
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    table = text.split("## Refusals")[1].split("## Trying again")[0]
    return {
        code
        for row in re.findall(r"^\| (?:400|401|403|404|408|409|413)[^|]*\|([^|]+)\|", table, re.MULTILINE)
        for code in re.findall(r"`([a-z_]+)`", row)
    }


@pytest.mark.parametrize("code", sorted(SAID))
def test_every_sentence_is_in_every_language_and_says_what_to_do(code: str) -> None:
    texts = {(Trouble(code, "X").text(language), Trouble(code, "X").todo(language)) for language in LANGUAGES}
    assert len(texts) == len(LANGUAGES)
    assert all(text and todo for text, todo in texts)


def test_what_sync_tells_the_manager_has_a_sentence() -> None:
    told = told_codes()
    assert {"salvaged", "no_backup", "superseded"} <= told
    assert {code for code in told if known(code) == "other"} == set()


def test_each_refusal_that_can_stop_a_till_has_a_sentence() -> None:
    stops = {"signature", "revoked", "superseded", "protocol_version", "malformed", "no_such_call", "stream_conflict"}
    assert stops <= refusals()
    assert {known(code) for code in stops} & {"other"} == set()
    assert known("a code of a later head office") == "other"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unreachable("…"), "unreachable"),
        (ServerFault("…"), "server_fault"),
        (OtherVersion("…"), "other_version"),
        (Rejected("revoked", "…"), "revoked"),
        (StoreFull("…"), "store_failed"),
    ],
)
def test_each_kind_of_error_has_a_code(error: SyncError, code: str) -> None:
    assert code_of(error) == code
    assert known(code) == code


def test_a_till_that_is_well_has_none(runtime: Runtime) -> None:
    assert troubles(runtime) == ()
    answer = status_answer(runtime)
    assert (answer.healthy, answer.problems) == (True, ())
    assert answer.started <= answer.at


def test_the_gravest_comes_first_and_each_part_is_heard(runtime: Runtime) -> None:
    runtime.board.on_event(StatusUpdateEvent("scanner", "offline", "not found"))
    runtime.board.on_event(StatusUpdateEvent("swipe", "failed", "no permission"))
    Epochs(runtime.store).tell(1000, "salvaged", "the file was damaged")
    page = ChangesPage(changes=(parked_change(),), cursor="c", more=False, as_of_ms=10_000_000, epoch=1, includes_seq=0)
    runtime.mirror.apply(page, 1000)
    runtime.agent.state = SyncState(False, 0, "…", "revoked")
    assert codes(runtime) == ["revoked", "salvaged", "clock_wrong", "parked", "device_offline", "device_failed"]
    answer = status_answer(runtime)
    assert not answer.healthy
    said = {problem.code: problem for problem in answer.problems}
    assert said["parked"].text == "Het hoofdkantoor heeft niet alles van deze winkel geboekt (1): de manager beslist"
    assert said["device_offline"].text == "scanner is niet aangesloten"
    assert said["revoked"].gravity is Gravity.STOP


def test_a_line_that_is_away_needs_nobody(runtime: Runtime) -> None:
    runtime.agent.state = SyncState(False, 0, "…", "unreachable")
    assert codes(runtime) == ["unreachable"]
    assert status_answer(runtime).healthy


def test_a_copy_and_one_that_goes_on_elsewhere(runtime: Runtime) -> None:
    Epochs(runtime.store).doubted(Doubt.RESTORED)
    assert codes(runtime) == ["copied"]
    Epochs(runtime.store).doubted(Doubt.SUPERSEDED)
    runtime.agent.state = SyncState(False, 0, "…", "superseded")
    assert codes(runtime) == ["superseded"]


def test_space_on_the_disk() -> None:
    assert space_trouble(None) is None
    assert space_trouble(LITTLE_SPACE_BYTES) is None
    assert space_trouble(LITTLE_SPACE_BYTES - 1) == Trouble("disk_little", "499")
    assert space_trouble(NO_SPACE_BYTES - 1) == Trouble("disk_full", "49")


def test_the_cashier_reads_it_when_nobody_is_at_the_counter(runtime: Runtime) -> None:
    def message(language: str) -> Message | None:
        return build_view(read_facts(runtime), Memory(), language).message

    runtime.agent.state = SyncState(False, 0, "refused (403)", "revoked")
    assert message("nl") == Message(
        "stop", "Het hoofdkantoor heeft deze kassa buitengesloten: verkopen blijven hier bewaard"
    )
    assert message("en") == Message("stop", "Head office has shut this till out: sales are kept here")
    runtime.till.present_card(SANNE.card, "EAN-13")
    assert message("nl") is None
    runtime.till.forget_card()
    runtime.agent.state = replace(runtime.agent.state, code="unreachable")
    assert message("nl") is None  # the badge says so already
    runtime.board.on_event(StatusUpdateEvent("scanner", "offline", "not found"))
    view = build_view(read_facts(runtime), Memory(), "nl")
    assert (view.message, view.devices) == (None, "Niet gereed: scanner")


def test_a_day_that_head_office_has_otherwise(runtime: Runtime) -> None:
    day = date(2026, 11, 21)
    ours = runtime.journal.proof(day)
    theirs = ours.model_copy(update={"entries": 3})
    runtime.proofs.record(day, DayProof(proof=theirs, parked=0), 1000)
    assert [(trouble.code, trouble.what) for trouble in troubles(runtime)] == [("day_differs", "21-11-2026")]
