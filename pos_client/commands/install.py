"""`spaarpunt install`: make this machine a till or a head office that starts by itself, or take that back."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path, PurePosixPath
from typing import cast

import click
from rich.table import Table

from pos_client.commands.common import EXIT_PROBLEM, console, emit, errors, fail, json_option, read_config
from pos_client.config import find_config
from pos_client.install.applying import (
    InstallError,
    State,
    Step,
    commands_after_writing,
    commands_before_removing,
    compare,
    remove,
    run,
    runs_systemd,
    write,
)
from pos_client.install.files import Machine, Role, units, wanted_files

_SAID = {
    State.NEW: "[green]new[/]",
    State.SAME: "as wanted",
    State.CHANGED: "[yellow]changes[/]",
    State.EDITED: "[red]edited by hand: kept[/]",
}


@click.command()
@click.option("--role", type=click.Choice(["till", "hq"]), default="till", help="What this machine is. Default: till.")
@click.option("--kiosk", is_flag=True, help="Also open the cashier's screen when somebody logs in on the display.")
@click.option(
    "--dry-run", "mode", flag_value="dry-run", default="dry-run", help="Only say what would change (default)."
)
@click.option("--apply", "mode", flag_value="apply", help="Write the files and start the services.")
@click.option("--remove", "mode", flag_value="remove", help="Stop the services and delete the files; data stays.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/"),
    help="Folder to install under, such as a disk image; no service is started there. Default: /.",
)
@json_option
def install(role: str, kiosk: bool, mode: str, root: Path, as_json: bool) -> None:
    """Make this machine a till (or a head office) that starts by itself: services, nightly timer, device rules.

    Without --apply nothing is changed. A file that somebody edited is kept and named; --apply may be repeated.
    """
    context = click.get_current_context()
    found = context.find_root().params.get("config") or find_config()
    if found is None:
        raise click.UsageError("services need a configuration file: name one with spaarpunt --config FILE install")
    config = read_config(found)
    role_ = cast(Role, role)
    browser = next(
        (name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), "chromium"
    )
    machine = Machine(_program(), PurePosixPath(Path(found).resolve().as_posix()), browser)
    live = root == Path("/") and runs_systemd()
    try:
        steps = compare(wanted_files(role_, config, machine, kiosk=kiosk), root)
        commands = commands_before_removing(units(role_)) if mode == "remove" else commands_after_writing(units(role_))
        if mode == "apply":
            write(steps)
        if mode != "dry-run" and live:
            run(commands)
        if mode == "remove":
            remove(steps)
    except InstallError as error:
        fail(str(error))
    left = [] if mode != "dry-run" and live else [" ".join(command) for command in commands]
    _tell(steps, mode, left, as_json)
    if any(step.state is State.EDITED for step in steps):
        context.exit(EXIT_PROBLEM)


def _program() -> PurePosixPath:
    """The `spaarpunt` command of this installation, beside its Python."""
    beside = Path(sys.executable).parent / "spaarpunt"
    found = beside if beside.exists() else shutil.which("spaarpunt")
    if found is None:
        fail("the spaarpunt command was not found beside this Python: install the package, then run spaarpunt install")
    return PurePosixPath(Path(found).as_posix())


def _tell(steps: list[Step], mode: str, left: list[str], as_json: bool) -> None:
    data = {
        "mode": mode,
        "files": [{"path": str(step.place), "state": step.state.value} for step in steps],
        "commands_to_run": left,
    }

    def show() -> None:
        table = Table("file", "deleted" if mode == "remove" else "state", box=None)
        for step in steps:
            gone = mode == "remove" and step.state in (State.SAME, State.CHANGED)
            table.add_row(str(step.place), "yes" if gone else _SAID[step.state])
        console.print(table)
        if mode == "dry-run":
            console.print("\nNothing was changed. To do it, as root: add --apply. It then runs:", highlight=False)
        elif left:
            console.print("\nNot run here; on the machine itself run:", highlight=False)
        for command in left:
            console.print(f"  {command}", markup=False, highlight=False, soft_wrap=True)
        for step in steps:
            if step.state is State.EDITED:
                errors.print(
                    f"✗ {step.place} was edited by hand and kept: move it away and run this again, or merge by hand",
                    markup=False, highlight=False, soft_wrap=True,
                )  # fmt: skip

    emit(data, as_json, show)
