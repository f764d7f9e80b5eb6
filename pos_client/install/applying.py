"""Compares the files of an installation with the machine, writes them, takes them back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pos_client.install.files import Wanted, edited

COMMAND_TIMEOUT_S = 60
"""No step of the machine's own tools takes longer; one that does hangs."""


class InstallError(Exception):
    """The machine could not be changed; one line: what, where, what to do."""


class State(StrEnum):
    """How a wanted file stands on the machine."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"  # ours, from another version or configuration: is written anew
    EDITED = "edited"  # a person changed it, or it is not ours: is kept


@dataclass(frozen=True, slots=True)
class Step:
    """A wanted file, where it goes, and how that stands."""

    wanted: Wanted
    place: Path
    state: State


def compare(wanted: Sequence[Wanted], root: Path) -> list[Step]:
    """How each file stands under `root`.

    Raises:
        InstallError: one cannot be read.
    """
    return [_step(file, root) for file in wanted]


def _step(wanted: Wanted, root: Path) -> Step:
    place = root / wanted.path.relative_to("/")
    try:
        found = place.read_text(encoding="utf-8") if place.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise InstallError(f"{place} cannot be read ({error}): run this as root, or move the file away") from error
    if found is None:
        return Step(wanted, place, State.NEW)
    if found == wanted.content:
        return Step(wanted, place, State.SAME)
    return Step(wanted, place, State.EDITED if edited(found) else State.CHANGED)


def write(steps: Sequence[Step]) -> None:
    """Write what is new or ours and changed, each file whole or not at all; files edited by a person are kept.

    Raises:
        InstallError: a file cannot be written; those before it are.
    """
    for step in steps:
        if step.state not in (State.NEW, State.CHANGED):
            continue
        draft = step.place.with_name(step.place.name + ".new")
        try:
            step.place.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(step.wanted.content, encoding="utf-8")
            draft.chmod(step.wanted.mode)
            draft.replace(step.place)
        except OSError as error:
            if draft.is_file():
                draft.unlink()
            raise InstallError(f"{step.place} cannot be written ({error.strerror}): run this as root") from error


def remove(steps: Sequence[Step]) -> None:
    """Delete our files, last written first; files edited by a person are kept. Data and configuration are not touched.

    Raises:
        InstallError: a file cannot be deleted.
    """
    for step in reversed(steps):
        if step.state not in (State.SAME, State.CHANGED):
            continue
        try:
            step.place.unlink()
        except OSError as error:
            raise InstallError(f"{step.place} cannot be deleted ({error.strerror}): run this as root") from error


def commands_after_writing(units: Sequence[str]) -> list[list[str]]:
    """What the machine has to be told after the files are there: the account, the rules, the units."""
    return [
        ["systemd-sysusers"],
        ["udevadm", "control", "--reload"],
        ["udevadm", "trigger", "--action=change"],
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--now", *units],
    ]


def commands_before_removing(units: Sequence[str]) -> list[list[str]]:
    """What the machine has to be told before the files go."""
    return [["systemctl", "disable", "--now", *units]]


def runs_systemd() -> bool:
    """Whether this machine was booted with systemd (sd_booted(3)): else the commands are for a person to run later."""
    return Path("/run/systemd/system").is_dir()


def run(commands: Sequence[Sequence[str]]) -> None:
    """Run the machine's own tools, one after another; those that are not there are left out.

    Raises:
        InstallError: one failed; it says what.
    """
    for command in commands:
        if shutil.which(command[0]) is None:
            continue
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                env=os.environ | {"LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired as error:
            raise InstallError(
                f"`{' '.join(command)}` did not end within {COMMAND_TIMEOUT_S} s: run it by hand"
            ) from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise InstallError(f"`{' '.join(command)}` failed: {said[-1] if said else f'exit code {done.returncode}'}")
