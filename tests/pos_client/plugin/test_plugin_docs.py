"""docs/plugin.md: its commands run against a real till, its answers are what came, its tables are complete."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pos_client.events import KEPT_EVENTS, EventKind
from pos_client.plugin.answered import MAX_KEPT, MAX_KEY
from pos_client.plugin.api import create_api
from pos_client.plugin.problems import STATUS
from pos_client.plugin.stream import EVENTS_MISSED, MAX_LISTENERS, QUEUED_EVENTS
from pos_client.runtime import Runtime
from pos_client.sessions import MAX_SESSIONS
from tests.pos_client.plugin.conftest import TOKEN, serving
from tests.support.missing import missing
from tests.support.till import SANNE, make_runtime

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "plugin.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|json|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
BETWEEN = "--- next ---"
ANYTHING = "…"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def runtime(home: Path) -> Iterator[Runtime]:
    made = make_runtime(home / ".local" / "share" / "spaarpunt" / "till")
    yield made
    made.store.close()


@pytest.fixture
def address(runtime: Runtime) -> Iterator[str]:
    with serving(create_api(runtime, TOKEN)) as url:
        yield url


def run(command: list[str], script: str, home: Path) -> str:
    done = subprocess.run(
        command,
        input=script,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        cwd=ROOT,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TOKEN": TOKEN, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_code(home: Path, runtime: Runtime) -> None:
    if runtime.pairing.shown is not None:
        (home / "code").write_text(runtime.pairing.shown.code)


def differences(shown: object, came: object, path: str = "answer") -> list[str]:
    """Where `came` does not have what the page shows; the page may leave fields out."""
    if shown == ANYTHING:
        return [] if came else [f"{path}: nothing came"]
    if isinstance(shown, dict) and isinstance(came, dict):
        missing = [f"{path}.{name}: not there" for name in shown if name not in came]
        return missing + [
            found for name in shown if name in came for found in differences(shown[name], came[name], f"{path}.{name}")
        ]
    if isinstance(shown, list) and isinstance(came, list) and len(shown) == len(came):
        return [
            found
            for number, (one, other) in enumerate(zip(shown, came, strict=True))
            for found in differences(one, other, f"{path}.{number}")
        ]
    return [] if shown == came else [f"{path}: the page shows {shown!r}, {came!r} came"]


def test_every_command_does_what_the_page_says(home: Path, address: str, runtime: Runtime) -> None:
    if shutil.which("curl") is None:
        missing("no curl here: apt install curl")
    commands = [text for kind, text in BLOCKS if kind == "sh"]
    assert f"CARD={SANNE.card}\n" in commands[0]
    # Somebody reads the code off the screen: here, as soon as the till tells its screen of it.
    runtime.bus.listen(lambda event: write_code(home, runtime) if event.kind is EventKind.PAIRING else None)
    commands = [command.replace("CODE=482193\n", 'CODE=$(cat "$HOME/code")\n') for command in commands]
    script = f"\necho; echo '{BETWEEN}'\n".join(commands).replace("127.0.0.1:8321", address.removeprefix("http://"))
    outputs = run(["bash", "-eu"], script, home).split(BETWEEN)
    assert len(outputs) == len(commands) == 13
    assert re.findall(r"^\*\*(\d+)\. ", PAGE, re.MULTILINE) == [str(n) for n in range(1, 11)]

    answers = [text for kind, text in BLOCKS if kind == "json"]
    answering = [(command, out) for command, out in zip(commands, outputs, strict=True) if "\ncurl" in f"\n{command}"]
    for (command, output), answer in zip(answering, answers, strict=False):
        assert differences(json.loads(answer), json.loads(output)) == [], command
    assert len(answers) == 10
    names = re.findall(r"^event: (\w+)$", outputs[-1], re.MULTILINE)
    assert names[0] == EVENTS_MISSED
    assert names[-2:] == ["sale_booked", "sale_voided"]


def test_the_python_example_runs(home: Path, address: str, runtime: Runtime) -> None:
    (example,) = (text for kind, text in BLOCKS if kind == "python")
    script = example.replace("127.0.0.1:8321", address.removeprefix("http://"))
    printed = run([sys.executable, "-"], script, home)
    assert "kind='sale'" in printed
    assert runtime.journal.head().seq == 1


def test_every_code_is_in_the_table_with_its_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (.+) \|$", PAGE, re.MULTILINE)
    assert {code: int(status) for code, status, _ in rows} == dict(STATUS)
    assert len(rows) == len(STATUS)


def test_every_event_and_every_call_is_on_the_page(runtime: Runtime) -> None:
    events = PAGE.split("## Events")[1].split("##")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", events, re.MULTILINE)) == {*map(str, EventKind), EVENTS_MISSED}
    described = create_api(runtime, "t").openapi()["paths"]
    calls = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /\S+)`", PAGE, re.MULTILINE)) == calls


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    assert f"1 to {MAX_KEY} visible" in PAGE
    assert f"at most {MAX_KEPT} of them" in PAGE
    assert f"last {MAX_SESSIONS} sessions" in PAGE
    assert f"last {KEPT_EVENTS} events" in PAGE
    assert f"falls {QUEUED_EVENTS} events behind" in PAGE
    assert f"At most {MAX_LISTENERS} streams" in PAGE
