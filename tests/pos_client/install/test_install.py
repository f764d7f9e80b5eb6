"""What `spaarpunt install` writes, checked by the machine's own tools, and that it keeps what people changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from click.testing import CliRunner, Result

from pos_client.cli import main
from pos_client.config import load_config
from pos_client.install.files import Machine, edited, units, wanted_files
from tests.support.missing import missing

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"
MACHINE = Machine(PurePosixPath("/bin/true"), PurePosixPath("/etc/spaarpunt/spaarpunt.toml"))
TILL, NIGHTLY = "etc/systemd/system/spaarpunt-till.service", "etc/systemd/system/spaarpunt-nightly.timer"


def install(root: Path, *more: str, config: Path = EXAMPLE) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), "install", "--root", str(root), *more])


def verified(*files: Path) -> subprocess.CompletedProcess[str]:
    """What systemd itself says of these units."""
    if shutil.which("systemd-analyze") is None:
        missing("no systemd-analyze here: apt install systemd")
    command = ["systemd-analyze", "verify", "--man=no", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def states(result: Result) -> dict[str, str]:
    return {Path(file["path"]).name: file["state"] for file in json.loads(result.stdout)["files"]}


@pytest.mark.parametrize("role", ["till", "hq"])
def test_systemd_itself_finds_nothing_wrong(role: str, tmp_path: Path) -> None:
    places = []
    for file in wanted_files(role, load_config(EXAMPLE), MACHINE):  # type: ignore[arg-type]
        if file.path.suffix in (".service", ".timer"):
            # Groups and users are the machine's; what is checked here is the units.
            place = tmp_path / file.path.name
            place.write_text(
                file.content.replace("User=spaarpunt", "User=root").replace("Group=spaarpunt", "Group=root")
            )
            places.append(place)
    assert {place.name for place in places} >= set(units(role))  # type: ignore[arg-type]
    checked = verified(*places)
    ours = [line for line in checked.stderr.splitlines() if "spaarpunt" in line]
    assert ours == []
    assert checked.returncode == 0, checked.stderr


def test_a_wrong_unit_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "spaarpunt-till.service"
    wrong.write_text("[Service]\nExecStart=relative/path\n")
    checked = verified(wrong)
    assert checked.returncode != 0


def test_the_timer_is_spread_and_catches_up(tmp_path: Path) -> None:
    assert install(tmp_path, "--apply").exit_code == 0
    timer = (tmp_path / NIGHTLY).read_text()
    assert "RandomizedDelaySec=3h" in timer
    assert "Persistent=yes" in timer
    assert "FixedRandomDelay=yes" in timer


def test_a_dry_run_writes_nothing_and_says_what_would_be_done(tmp_path: Path) -> None:
    result = install(tmp_path)
    assert result.exit_code == 0
    assert "Nothing was changed" in result.stdout
    assert "systemctl enable --now spaarpunt-till.service spaarpunt-nightly.timer" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_again_changes_nothing_and_another_port_is_taken_over(tmp_path: Path) -> None:
    assert set(states(install(tmp_path, "--apply", "--kiosk", "--json")).values()) == {"new"}
    assert set(states(install(tmp_path, "--apply", "--kiosk", "--json")).values()) == {"same"}
    other = tmp_path / "other.toml"
    other.write_text(EXAMPLE.read_text().replace("port = 8321", "port = 9321"))
    found = states(install(tmp_path, "--apply", "--kiosk", "--json", config=other))
    assert found["spaarpunt-kiosk.desktop"] == found["spaarpunt.json"] == "changed"
    assert "http://127.0.0.1:9321/" in (tmp_path / "etc/xdg/autostart/spaarpunt-kiosk.desktop").read_text()
    policies = json.loads((tmp_path / "etc/chromium/policies/managed/spaarpunt.json").read_text())
    assert policies["URLAllowlist"] == ["http://127.0.0.1:9321"]


@pytest.mark.parametrize("name", [TILL, "etc/chromium/policies/managed/spaarpunt.json"])
def test_what_a_person_edited_is_kept_and_named(name: str, tmp_path: Path) -> None:
    install(tmp_path, "--apply", "--kiosk")
    place = tmp_path / name
    place.write_text(place.read_text().replace("RestartSec=2", "RestartSec=9").replace("false", "true"))
    changed = place.read_text()
    again = install(tmp_path, "--apply", "--kiosk")
    assert again.exit_code == 1
    assert str(place) in again.stderr
    assert "edited by hand" in again.stderr
    assert place.read_text() == changed
    gone = install(tmp_path, "--remove", "--kiosk", "--json")
    assert states(gone)[place.name] == "edited"
    assert [left for left in tmp_path.rglob("*") if left.is_file()] == [place]


def test_remove_takes_back_all_of_it_and_no_data(tmp_path: Path) -> None:
    install(tmp_path, "--apply", "--kiosk")
    data = tmp_path / "var/lib/spaarpunt/till/store.db"
    data.parent.mkdir(parents=True)
    data.write_bytes(b"sacred")
    assert install(tmp_path, "--remove", "--kiosk").exit_code == 0
    assert [left for left in tmp_path.rglob("*") if left.is_file()] == [data]


def test_rules_and_groups_follow_the_devices(tmp_path: Path) -> None:
    config = tmp_path / "till.toml"
    config.write_text(
        '[devices.a]\nkind = "serial"\nport = "05F9:4204"\n'
        '[devices.b]\nkind = "hid"\ndevice = "0801:0002:123"\n'
        '[devices.c]\nkind = "printer"\nport = "usb://04B8:0202"\n'
    )
    root = tmp_path / "root"
    assert install(root, "--apply", config=config).exit_code == 0
    rules = (root / "etc/udev/rules.d/70-spaarpunt.rules").read_text()
    assert 'SUBSYSTEM=="tty", ATTRS{idVendor}=="05f9", ATTRS{idProduct}=="4204"' in rules
    assert 'KERNEL=="hidraw*", ATTRS{idVendor}=="0801", ATTRS{idProduct}=="0002"' in rules
    assert 'SUBSYSTEM=="usb", ATTR{idVendor}=="04b8", ATTR{idProduct}=="0202"' in rules
    assert "SupplementaryGroups=dialout lp\n" in (root / TILL).read_text()


def test_a_till_without_devices_has_no_rules_and_no_groups(tmp_path: Path) -> None:
    config = tmp_path / "till.toml"
    config.write_text("[till]\n")
    root = tmp_path / "root"
    install(root, "--apply", config=config)
    assert not (root / "etc/udev").exists()
    assert "SupplementaryGroups" not in (root / TILL).read_text()


def test_a_data_folder_elsewhere_is_opened_to_the_service(tmp_path: Path) -> None:
    config = tmp_path / "till.toml"
    config.write_text('[till]\ndata_dir = "/srv/my till"\n')
    root = tmp_path / "root"
    install(root, "--apply", config=config)
    assert 'ReadWritePaths="/srv/my till"\n' in (root / TILL).read_text()


def test_without_a_configuration_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    result = CliRunner().invoke(main, ["install", "--root", str(tmp_path)])
    assert result.exit_code == 2
    assert "services need a configuration file" in result.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("a file where a folder should be")
    result = install(tmp_path, "--apply")
    assert result.exit_code == 1
    assert "cannot be" in result.stderr


def test_somebody_elses_file_counts_as_edited() -> None:
    assert edited("[Unit]\nDescription=mine\n")
    assert edited('{"URLBlocklist": ["*"]}')
    assert edited("[1]")
    assert not edited(wanted_files("hq", load_config(EXAMPLE), MACHINE)[0].content)
