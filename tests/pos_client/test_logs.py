"""The log: one line an event, rotated, and whatever is written, no card in any of its files."""

from __future__ import annotations

import json
import logging
import re
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from pos_client.config import LogConfig
from pos_client.logs import KEPT_LOGS, MAX_LOG_BYTES, MAX_TEXT, Masker, log_faults, set_up_logs
from tests.support.till import CODE_128_FORMAT, FORMATS, JORIS, SANNE

PAN = "4111111111111111"
SECRETS = (
    PAN,
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111.1111.1111.1111",
    f"%B{PAN}^DOE/JOHN^2512101000000000?",
    f";{PAN}=25121010000000000?",
    "%L6035123456789012^DOE/JANE?",
    "5019717010103742",
    "341111111111111",
    SANNE.card,
    JORIS.card,
    JORIS.card.lower(),
    f"S1.{SANNE.card}.58000000.12345678",
    "S2:" + "6BF+70" * 12,
    f"read {PAN}\tand more",
    f"{PAN[:8]}\n{PAN[8:]}",
)
"""Each holds a number, a name or a credential that no log may have."""
TELLTALE = re.compile(
    r"4111.{0,3}1111|11111111|DOE/|6035123|501971701|" + SANNE.card[:9] + "|" + JORIS.card[2:9] + "|6BF"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "logs"
    set_up_logs(LogConfig(level="warning"))  # closes the files


def events(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "till.log").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_an_event_is_one_line_of_json_in_the_file_and_a_line_for_people_beside(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(LogConfig(), folder, FORMATS)
    structlog.get_logger("spaarpunt.sync").info("synced", sent=3)
    structlog.get_logger("spaarpunt.sync").debug("not asked for")
    (event,) = events(folder)
    assert {name: event[name] for name in ("event", "level", "logger", "sent")} == {
        "event": "synced",
        "level": "info",
        "logger": "spaarpunt.sync",
        "sent": 3,
    }
    assert str(event["timestamp"]).endswith("Z")
    assert re.search(r"\[info *\] synced +\[spaarpunt.sync\] sent=3", capsys.readouterr().err)
    assert stat.S_IMODE((folder / "till.log").stat().st_mode) == 0o600


def test_standard_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LogConfig(format="json"))
    structlog.get_logger("spaarpunt.sync").warning("clock", problem="…")
    assert json.loads(capsys.readouterr().err)["problem"] == "…"


def test_no_card_is_in_any_file_however_it_came_and_the_files_are_bounded(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(LogConfig(level="debug"), folder, FORMATS)
    log = structlog.get_logger("spaarpunt.devices")
    for secret in SECRETS:
        log.info(secret, value=secret, nested={"deep": [secret, {secret: 1}]}, raw=secret.encode(), pair=(secret, 7))
        logging.getLogger("uvicorn.error").error("a library says %s", secret)
        try:
            raise ValueError(f"expected a card, got {secret}")
        except ValueError:
            log.exception("fault")
            logging.getLogger("asyncio").exception("a library's fault")
    log.info("number", number=int(PAN))
    written = (folder / "till.log").read_text(encoding="utf-8")
    assert not TELLTALE.search(written)
    assert not TELLTALE.search(capsys.readouterr().err)
    assert "ValueError: expected a card, got …" in written
    line = len(written) // len(written.splitlines())
    for number in range(MAX_LOG_BYTES * (KEPT_LOGS + 2) // (MAX_TEXT // 2 + line)):
        log.warning("much", text="x" * (MAX_TEXT // 2), card=SECRETS[number % len(SECRETS)])
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == ["till.log", *(f"till.log.{number}" for number in range(1, KEPT_LOGS + 1))]
    assert all(path.stat().st_size <= MAX_LOG_BYTES for path in files)
    assert not any(TELLTALE.search(path.read_text(encoding="utf-8")) for path in files)


def test_a_long_text_is_cut_and_not_within_a_number(folder: Path) -> None:
    set_up_logs(LogConfig(), folder)
    structlog.get_logger("spaarpunt.app").info("long", text="x" * (MAX_TEXT - 8) + PAN)
    (event,) = events(folder)
    assert event["text"] == "x" * (MAX_TEXT - 8) + "…"


def test_what_ends_a_thread_or_the_program_is_logged_and_masked(folder: Path) -> None:
    before = sys.excepthook, threading.excepthook
    try:
        set_up_logs(LogConfig(), folder)
        log_faults()

        def fall_over() -> None:
            raise ValueError(PAN)

        thread = threading.Thread(target=fall_over, name="device-events")
        thread.start()
        thread.join()
        sys.excepthook(ValueError, ValueError(PAN), None)
    finally:
        sys.excepthook, threading.excepthook = before
    first, second = events(folder)
    assert (first["event"], first["thread"]) == ("a thread ended by a fault", "device-events")
    assert str(first["exception"]).endswith("ValueError: …1111")
    assert second["event"] == "ended by a fault"


def test_a_folder_that_cannot_be_used_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    problem = set_up_logs(LogConfig(), tmp_path / "file" / "logs")
    assert problem is not None
    assert problem.endswith("cannot be used: Not a directory; the log is on standard error alone")
    structlog.get_logger("spaarpunt.app").warning("goes on")
    assert "goes on" in capsys.readouterr().err


def test_a_disk_that_takes_no_line_is_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    (folder / "till.log").symlink_to("/dev/full")
    set_up_logs(LogConfig(level="error"), folder)
    for _ in range(3):
        structlog.get_logger("spaarpunt.app").error("goes on")
    assert capsys.readouterr().err.count("No space left on device") == 1


@pytest.mark.parametrize(
    "harmless",
    [
        "2026-11-22T03:13:27.123456Z [info     ] synced sent=12345678901",
        "http://127.0.0.1:8320 entries 1 to 500 of 2026-11-22",
        "expected 13 digits, got 12",
        "terminal t-0123456789 epoch 2",
    ],
)
def test_what_is_no_card_stays_readable(harmless: str) -> None:
    assert Masker(FORMATS)(harmless) == harmless


@given(st.text(alphabet="0123456789", min_size=12, max_size=19), st.sampled_from(["", " ", "-"]), st.text(max_size=20))
def test_no_number_as_long_as_a_card_survives(digits: str, separator: str, around: str) -> None:
    groups = separator.join(digits[start : start + 4] for start in range(0, len(digits), 4))
    if len(digits) == 12 and separator:
        return  # as long as an address of the network, and shorter than any card
    masked = Masker([CODE_128_FORMAT])(f"{around}x{groups}x{around}")
    assert groups not in masked
    assert not re.search(r"[0-9]{12}", masked.replace(around, ""))
