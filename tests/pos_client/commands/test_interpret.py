"""`spaarpunt interpret`: given bytes, the events as JSON and as text, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.keyboard.keymap import type_text
from drivers.simulators.hid import VirtualHidStripe
from pos_client.cli import main
from pos_client.commands.interpret import MAX_INPUT_BYTES

NO_TRACKS = {"1": None, "2": None, "3": None}
CONFIG = """
[[card_formats]]
name = "spaarpas"
prefix = "2910"
length = 13
check = "gs1"

[[card_formats]]
name = "lidmaatschap"
prefix = "8712345"
length = 18
check = "none"
"""


@pytest.fixture(autouse=True)
def no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, and a user, without a configuration of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


def interpret(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["interpret", *arguments])


def events(*arguments: str) -> list[dict[str, Any]]:
    result = interpret(*arguments, "--json")
    document = json.loads(result.stdout)
    assert set(document) == {"events"}
    found: list[dict[str, Any]] = document["events"]
    for event in found:
        assert set(event) == {"kind", "symbology", "aim", "scan_data_label", "tracks", "errors"}
        assert set(event["tracks"]) == {"1", "2", "3"}
    return found


def event(*arguments: str) -> dict[str, Any]:
    (found,) = events(*arguments)
    return found


def test_a_scan() -> None:
    assert event("--as", "serial", "--text", "]E04006381333931") == {
        "kind": "data",
        "symbology": "EAN-13",
        "aim": "]E0",
        "scan_data_label": "4006381333931",
        "tracks": NO_TRACKS,
        "errors": [],
    }
    assert interpret("--as", "serial", "--text", "]E04006381333931").exit_code == 0


def test_bytes_in_hexadecimal() -> None:
    for digits in ("02 5d 43 30 41 42 03 0d 0a", "025d43304142030d0a", "02:5d:43:30:41:42:03:0d:0a"):
        assert event("--as", "serial", "--hex", digits)["scan_data_label"] == "AB"


def test_bytes_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "scans.bin"
    file.write_bytes(b"]C0ONE\r\n]C0TWO\r\n")
    assert [each["scan_data_label"] for each in events("--as", "serial", str(file))] == ["ONE", "TWO"]


def test_a_swipe_with_its_tracks_and_their_faults() -> None:
    found = event("--as", "msr", "--text", "%E?;0001234567?4")
    assert (found["kind"], found["symbology"], found["scan_data_label"]) == ("data", "MSR", "0001234567")
    assert found["tracks"] == {"1": None, "2": "0001234567", "3": None}
    assert found["errors"] == ["track 1: unreadable"]
    wrong = event("--as", "msr", "--text", ";0001234567?5")
    assert (wrong["kind"], wrong["scan_data_label"]) == ("error", None)
    assert "lrc" in wrong["errors"][0]


def test_tracks_on_lines_of_their_own() -> None:
    for source in ("msr", "wedge"):
        found = event("--as", source, "--text", "%LX^Y?\r;123?\r+45?\r")
        assert found["tracks"] == {"1": "LX^Y", "2": "123", "3": "45"}


@pytest.mark.parametrize("layout", ["us", "nl", "be-azerty", "de", "fr", "tr"])
def test_key_codes_of_a_reader(layout: str) -> None:
    records = b"".join(type_text("%L123^DE VRIES/A?;28?", layout=layout)).hex()
    found = event("--as", "wedge", "--hex", records, "--layout", layout)
    assert found["tracks"] == {"1": "L123^DE VRIES/A", "2": "28", "3": None}


@pytest.mark.parametrize(
    ("source", "layout", "text", "label"),
    [
        ("typed", "be-azerty", "àà'HA\"", "004HQ3"),
        ("wedge", "fr", "àà'HA\"", "004HQ3"),
        ("wedge", "tr", "ş0001234567:", "0001234567"),
        ("serial", "de", "ö123´456_", "123"),
        ("typed", "nl", "SP 123", "SP 123"),
    ],
)
def test_typed_through_a_layout(source: str, layout: str, text: str, label: str) -> None:
    assert event("--as", source, "--text", text, "--layout", layout)["scan_data_label"] == label


def test_a_report_of_a_magtek(tmp_path: Path) -> None:
    reader = VirtualHidStripe(tmp_path, magtek=True)
    report = reader.report("%LX^Y?", ";28?", "E")
    reader.close()
    found = event("--as", "msr", "--hex", report.hex())
    assert found["tracks"] == {"1": "LX^Y", "2": "28", "3": None}
    assert found["errors"] == ["track 3: unreadable"]


def test_what_nothing_explains_is_unknown_until_the_configuration_does(tmp_path: Path) -> None:
    assert event("--as", "typed", "--text", "2910 0000 00017")["kind"] == "unknown"
    assert event("--as", "serial", "--text", "HELLO")["kind"] == "unknown"
    config = tmp_path / "spaarpunt.toml"
    config.write_text(CONFIG)
    found = event("--as", "typed", "--text", "2910 0000 00017")
    assert (found["kind"], found["scan_data_label"]) == ("data", "2910000000017")
    link = event("--as", "serial", "--text", "]Q1https://id.gs1.org/8018/871234567890123451")
    assert link["scan_data_label"] == "871234567890123451"


BANK = {"kind": "payment_card_refused", "symbology": None, "aim": None, "scan_data_label": None, "tracks": NO_TRACKS}


@pytest.mark.parametrize("source", ["serial", "wedge", "msr", "typed"])
@pytest.mark.parametrize(
    "text",
    ["4111111111111111", "]C04111111111111111", ";4111111111111111=26012011234?", "%B4111111111111111^D/J^2601?"],
)
def test_a_bank_card_shows_nothing(source: str, text: str) -> None:
    assert event("--as", source, "--text", text) == BANK | {"errors": []}
    for arguments in (("--text", text), ("--hex", text.encode().hex())):
        result = interpret("--as", source, *arguments)
        assert result.exit_code == 0
        assert "a bank card: refused" in result.stdout
        assert "1111" not in result.output


def test_exit_codes_and_what_they_say(tmp_path: Path) -> None:
    for arguments in ((), ("--text", "a", "--hex", "61"), ("file", "--text", "a")):
        result = interpret("--as", "serial", *arguments)
        assert result.exit_code == 2
        assert "expected one of FILE, --hex and --text" in result.output
    result = interpret("--as", "serial", "--hex", "4111111111111111x")
    assert result.exit_code == 2
    assert "pairs of hexadecimal digits" in result.output
    assert "4111" not in result.output
    assert interpret("--as", "carrier pigeon", "--text", "a").exit_code == 2
    assert interpret("--text", "a").exit_code == 2
    missing = interpret("--as", "serial", str(tmp_path / "none"))
    assert missing.exit_code == 1
    assert "cannot be read" in missing.output
    only_errors = interpret("--as", "msr", "--text", "%E?", "--json")
    assert only_errors.exit_code == 1
    assert json.loads(only_errors.stdout)["events"][0]["kind"] == "error"
    nothing = interpret("--as", "serial", "--text", "")
    assert nothing.exit_code == 1
    assert "nothing" in nothing.stdout
    huge = tmp_path / "huge"
    huge.write_bytes(b"x" * (MAX_INPUT_BYTES + 1))
    assert interpret("--as", "serial", str(huge)).exit_code == 1


def test_a_prefix_of_bank_cards_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spaarpunt.toml").write_text(CONFIG.replace('prefix = "2910"', 'prefix = "4111"'))
    result = interpret("--as", "serial", "--text", "x")
    assert result.exit_code == 2
    assert "can fall in the payment range 4 of Visa" in " ".join(result.output.split())


def test_control_characters_do_not_reach_the_terminal() -> None:
    result = interpret("--as", "serial", "--hex", b"]C0A\x1b[31mB\x1dC\r".hex())
    assert "label A\\x1b[31mB\\x1dC" in result.stdout


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=100), st.sampled_from(["serial", "wedge", "msr", "typed"]), st.sampled_from(["us", "fr"]))
def test_any_bytes_are_answered(data: bytes, source: str, layout: str) -> None:
    result = interpret("--as", source, "--layout", layout, "--hex", data.hex(), "--json")
    assert result.exit_code in (0, 1), result.output
    for found in json.loads(result.stdout)["events"]:
        assert found["kind"] in ("data", "error", "payment_card_refused", "unknown")
        assert not any(error.startswith("internal") for error in found["errors"])
