"""What the documents say exists: every command and option, every file they point to, every make target."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from pos_client.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(group: click.Group, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= commands(command, (*path, name))
        else:
            found[" ".join((*path, name))] = command
    return found


COMMANDS = commands(main)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_readme_has_every_command(name: str) -> None:
    assert f"`spaarpunt {name}" in README


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_has_a_help_text(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_in_documents_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for words in re.findall(r"(?:^|`|\$ )spaarpunt ((?:[a-z]+ ?){1,3})", text, flags=re.MULTILINE):
        parts = words.split()
        assert any(" ".join(parts[:length]) in COMMANDS for length in range(1, len(parts) + 1)) or any(
            name.startswith(" ".join(parts[:1]) + " ") for name in COMMANDS
        ), words


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def test_the_readme_maps_every_package_room() -> None:
    for package in ("loyalty", "drivers", "sync", "sync/hq", "pos_client"):
        for entry in sorted((ROOT / package).iterdir()):
            if entry.name.startswith("_") or entry.suffix not in {".py", ""}:
                continue
            assert f"`{entry.name}" in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), entry


def test_the_map_names_every_room_of_the_drivers() -> None:
    rows = set(
        re.findall(r"^\| `([a-z0-9_/.]+)`", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    rooms = {path.relative_to(ROOT / "drivers").as_posix() for path in (ROOT / "drivers").rglob("*.py")}
    assert {room for room in rooms if not room.endswith("__init__.py")} <= rows


def test_make_targets_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, flags=re.MULTILINE)) <= targets
    assert {"demo", "test", "lint", "bench", "clean"} <= targets


def test_ci_runs_the_readmes_command_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == ["exec make test"]


def test_the_lock_names_no_host_and_hashes_everything() -> None:
    lock = (ROOT / "requirements" / "all.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    packages = re.findall(r"^[a-z0-9][^\n]*==[^\n]*(?:\n    --hash=[^\n]*)+", lock, flags=re.MULTILINE)
    assert len(packages) == len(re.findall(r"^[a-z0-9]", lock, flags=re.MULTILINE))
