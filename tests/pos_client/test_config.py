"""The configuration: the example is complete, and what is wrong is said with path, expectation and nearest key."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from drivers.errors import BadDeviceSettings
from loyalty.cards import CardFormat
from pos_client.cli import main
from pos_client.config import DEVICE_KINDS, Config, ConfigError, load_config
from pos_client.device_settings import build_devices

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "spaarpunt.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return caught.value.problems


def test_the_example_loads() -> None:
    config = load_config(EXAMPLE)
    assert config.till.business_day_starts.hour == 4
    assert set(config.devices) == {"scanner", "swipe", "stripe", "camera", "receipts"}


def test_the_example_names_every_key() -> None:
    document = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    for section, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            assert set(document[section]) == set(field.annotation.model_fields), section
    assert set(document["card_formats"][0]) == set(CardFormat.model_fields)
    assert {device["kind"] for device in document["devices"].values()} == set(DEVICE_KINDS)
    for name, device in document["devices"].items():
        assert set(device) == set(DEVICE_KINDS[device["kind"]].model_fields), name


def test_every_key_of_the_example_has_a_comment_before_it_or_its_group() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    second_format = lines.index('name = "sleutelhanger"')
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#") and not second_format - 1 <= number <= second_format + 10:
            above = lines[number - 1]
            same_group = line.startswith(("port", "path")) and " = " in above
            assert above.startswith("#") or same_group, line


def test_no_file_means_defaults() -> None:
    assert load_config(None).screen.port == 8321


def test_an_unknown_key_is_refused_with_the_nearest_known(tmp_path: Path) -> None:
    assert problems(write(tmp_path, '[till]\nnmae = "x"\n')) == ["till.nmae: unknown key; nearest known key: name"]
    assert problems(write(tmp_path, "[tlil]\n")) == ["tlil: unknown key; nearest known key: till"]


def test_an_unknown_key_of_a_device_is_refused(tmp_path: Path) -> None:
    text = '[devices.a]\nkind = "serial"\nport = "/dev/null"\nbaudrat = 9600\n'
    assert problems(write(tmp_path, text)) == ["devices.a.baudrat: unknown key; nearest known key: baudrate"]


def test_an_unknown_key_of_a_card_format_is_refused(tmp_path: Path) -> None:
    text = '[[card_formats]]\nname = "a"\nprefix = "29"\nlenght = 13\nlength = 13\ncheck = "gs1"\n'
    assert problems(write(tmp_path, text)) == ["card_formats.0.lenght: unknown key; nearest known key: length"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[screen]\nport = 0\n", "screen.port"),
        ('[screen]\nport = "many"\n', "screen.port"),
        ('[till]\nlanguage = "fr"\n', "till.language"),
        ('[till]\ntime_zone = "Europe/Amsterdm"\n', "till.time_zone"),
        ('[till]\nhead_office_url = "ftp://x"\n', "till.head_office_url"),
        ('[devices.a]\nkind = "laser"\n', "devices.a"),
        ('[devices.a]\nkind = "serial"\n', "devices.a.port"),
        ('[[card_formats]]\nname = "a"\nprefix = "29"\nlength = 3\ncheck = "gs1"\n', "card_formats.0.length"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(tmp_path: Path, text: str, path: str) -> None:
    (problem,) = problems(write(tmp_path, text))
    assert problem.startswith(f"{path}: ")


def test_a_wrong_value_is_shown(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, "[sync]\npoll_s = 0\n"))
    assert problem == "sync.poll_s: Input should be greater than or equal to 1, got 0"


def test_not_toml_and_not_there(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, "till = = 3"))
    assert problem.startswith("not valid TOML: ")
    (problem,) = problems(tmp_path / "absent.toml")
    assert "config.example.toml" in problem


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPAARPUNT_TILL__NAME", "kassa 7")
    config = load_config(write(tmp_path, '[till]\nname = "kassa 2"\nlanguage = "en"\n'))
    assert (config.till.name, config.till.language) == ("kassa 7", "en")


def test_an_unknown_variable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPAARPUNT_TIL__NAME", "kassa 7")
    assert problems(write(tmp_path, "")) == [
        "SPAARPUNT_TIL__NAME: unknown environment variable; nearest known: SPAARPUNT_TILL"
    ]


def test_an_unknown_key_in_a_variable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPAARPUNT_TILL__NMAE", "kassa 7")
    (problem,) = problems(write(tmp_path, ""))
    assert "nearest known key: name" in problem


def test_check_says_what_is_usable() -> None:
    result = CliRunner().invoke(main, ["config", "check", str(EXAMPLE)])
    assert result.exit_code == 0
    assert "usable (5 devices, 3 card formats)" in result.stdout


def test_check_finds_a_card_format_that_bank_cards_use(tmp_path: Path) -> None:
    path = write(tmp_path, '[[card_formats]]\nname = "a"\nprefix = "4111"\nlength = 16\ncheck = "luhn"\n')
    result = CliRunner().invoke(main, ["config", "check", str(path), "--json"])
    assert result.exit_code == 1
    assert '"usable": false' in result.stdout
    assert "4111" in result.stdout


def test_a_printer_that_is_too_narrow_for_its_columns_is_found_before_a_till_starts(tmp_path: Path) -> None:
    printer = (
        '[devices.paper]\nkind = "printer"\nport = "socket://127.0.0.1:9100"\nprofile = "POS-5890"\ncolumns = 42\n'
    )
    path = write(tmp_path, printer)
    said = "expected at most 32 columns, as many as the printer profile POS-5890 has on a line, got 42"
    result = CliRunner().invoke(main, ["config", "check", str(path)])
    assert result.exit_code == 1
    assert f"devices.paper: {said}" in result.stderr
    with pytest.raises(BadDeviceSettings, match=said):
        build_devices(load_config(path))  # what a till does before it takes anything
    assert (
        CliRunner().invoke(main, ["config", "check", str(write(tmp_path, printer.replace("42", "32")))]).exit_code == 0
    )


def test_a_command_with_a_wrong_configuration_is_wrong_use(tmp_path: Path) -> None:
    path = write(tmp_path, '[till]\nnmae = "x"\n')
    result = CliRunner().invoke(main, ["--config", str(path), "sync", "status"])
    assert result.exit_code == 2
    assert "till.nmae: unknown key; nearest known key: name" in result.stderr
