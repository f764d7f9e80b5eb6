"""Which files make a machine a till or a head office, worked out from its configuration. Pure but for the templates."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from string import Template
from typing import Literal

from pos_client.config import CameraDevice, Config, DeviceConfig, HidReader, PrinterDevice, SerialDevice, WedgeDevice

Role = Literal["till", "hq"]

USER = "spaarpunt"
"""The account everything runs as: made by systemd-sysusers, without a password or a shell."""

NIGHT_FROM = "01"
"""Hour, local time, at which nights begin: every shop is closed, and its trading day has not turned yet."""
NIGHT_WINDOW = "3h"
"""Tills spread their nightly exchange over this: ten thousand of them come to about one a second."""
HQ_NIGHT_FROM = "04"
"""Hour, local time, of head office's own night: after the tills'."""

MARK = "# Written by `spaarpunt install`, sha256 of what follows: "
"""Opens every file that can hold a comment, so that one a person changed is known and kept."""

POLICY_MARK = "SpaarpuntInstall"
"""The same in a file of browser policies, which takes no comments; a browser passes over names it does not know."""

STATE_DIR = PurePosixPath("/var/lib/spaarpunt")
"""What systemd makes for the services (StateDirectory=); a data folder elsewhere has to be there already."""

_GROUPS: dict[type[object], str] = {
    SerialDevice: "dialout",
    WedgeDevice: "input",
    CameraDevice: "video",
    PrinterDevice: "lp",
}
"""The groups that Debian gives such devices to."""

_USB = re.compile(r"(?:usb://)?(?P<vid>[0-9A-Fa-f]{4}):(?P<pid>[0-9A-Fa-f]{4})(?::.*)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file as it should be on the machine. `path` is absolute; `mode` as of chmod."""

    path: PurePosixPath
    content: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Machine:
    """What the files must know of the machine besides the configuration. Paths are absolute."""

    program: PurePosixPath
    """The `spaarpunt` command."""
    config: PurePosixPath
    browser: str = "chromium"


def wanted_files(role: Role, config: Config, machine: Machine, *, kiosk: bool = False) -> list[Wanted]:
    """Everything `role` needs, in the order in which it is written.

    Args:
        kiosk: also start a browser with the cashier's screen when somebody logs in on the display.
    """
    found = [_marked("/usr/lib/sysusers.d/spaarpunt.conf", f'u {USER} - "Spaarpunt" /var/lib/spaarpunt -\n')]
    return found + (_till(config, machine, kiosk=kiosk) if role == "till" else _head_office(config, machine))


def units(role: Role) -> tuple[str, ...]:
    """The units that are switched on for `role`."""
    return ("spaarpunt-till.service", "spaarpunt-nightly.timer") if role == "till" else (
        "spaarpunt-hq.service",
        "spaarpunt-hq-nightly.timer",
    )  # fmt: skip


def edited(content: str) -> bool:
    """Whether a file that `spaarpunt install` wrote was changed since, or is somebody else's altogether."""
    first, _, rest = content.partition("\n")
    if first.startswith(MARK):
        return first.removeprefix(MARK) != _digest(rest)
    try:
        policies = json.loads(content)
    except ValueError:
        return True
    return not isinstance(policies, dict) or policies.pop(POLICY_MARK, None) != _digest(_json(policies))


def _till(config: Config, machine: Machine, *, kiosk: bool) -> list[Wanted]:
    values = {
        "program": str(machine.program),
        "config": str(machine.config),
        "user": USER,
        "port": str(config.screen.port),
        "browser": machine.browser,
        "writable": _writable(config.till.data_dir),
        "groups": _groups(config),
    }
    night = {
        "what": "nightly exchange with head office",
        "after": "spaarpunt-till.service",
        "command": "sync nightly",
        "from_hour": NIGHT_FROM,
        "window": NIGHT_WINDOW,
    }
    found = [
        _unit("spaarpunt-till.service", "till.service", values),
        _unit("spaarpunt-nightly.service", "nightly.service", values | night),
        _unit("spaarpunt-nightly.timer", "nightly.timer", values | night),
    ]
    if rules := _udev_rules(config):
        found.append(_marked("/etc/udev/rules.d/70-spaarpunt.rules", rules))
    if kiosk:
        found.append(_marked("/etc/xdg/autostart/spaarpunt-kiosk.desktop", _filled("kiosk.desktop", values)))
        found.append(Wanted(PurePosixPath("/etc/chromium/policies/managed/spaarpunt.json"), _policies(config)))
    return found


def _head_office(config: Config, machine: Machine) -> list[Wanted]:
    values = {
        "program": str(machine.program),
        "config": str(machine.config),
        "user": USER,
        "writable": _writable(config.hq.data_dir),
    }
    night = {
        "what": "night at head office",
        "after": "spaarpunt-hq.service",
        "command": "hq nightly",
        "from_hour": HQ_NIGHT_FROM,
        "window": "10min",
    }
    return [
        _unit("spaarpunt-hq.service", "hq.service", values),
        _unit("spaarpunt-hq-nightly.service", "nightly.service", values | night),
        _unit("spaarpunt-hq-nightly.timer", "nightly.timer", values | night),
    ]


def _groups(config: Config) -> str:
    named = sorted({_GROUPS[type(device)] for device in config.devices.values() if type(device) in _GROUPS})
    return f"SupplementaryGroups={' '.join(named)}\n" if named else ""


def _udev_rules(config: Config) -> str:
    """Access to the configured USB devices for the till's user; those named by a path belong to a group already."""
    rules = [rule for name, device in sorted(config.devices.items()) for rule in _rules_of(name, device)]
    return "".join(f"{rule}\n" for rule in rules)


def _rules_of(name: str, device: DeviceConfig) -> list[str]:
    match device:
        case HidReader():
            named, rule = device.device, 'KERNEL=="hidraw*", ATTRS{idVendor}=="VID", ATTRS{idProduct}=="PID"'
        case SerialDevice():
            # ModemManager talks to every new serial line, and spoils the first scan.
            named, rule = (
                device.port,
                ('SUBSYSTEM=="tty", ATTRS{idVendor}=="VID", ATTRS{idProduct}=="PID", ENV{ID_MM_DEVICE_IGNORE}="1"'),
            )
        case PrinterDevice():
            named, rule = device.port, 'SUBSYSTEM=="usb", ATTR{idVendor}=="VID", ATTR{idProduct}=="PID"'
        case _:
            return []
    ids = _USB.fullmatch(named)
    if ids is None:
        return []
    matched = rule.replace("VID", ids["vid"].lower()).replace("PID", ids["pid"].lower())
    return [f"# devices.{name}", f'{matched}, MODE="0660", GROUP="{USER}"']


def _policies(config: Config) -> str:
    """What the browser must not offer a cashier. Names: Chromium's enterprise policy list."""
    screen = f"http://127.0.0.1:{config.screen.port}"
    policy: dict[str, object] = {
        "URLBlocklist": ["*"],
        "URLAllowlist": [screen],
        "TranslateEnabled": False,
        "PasswordManagerEnabled": False,
        "AutofillAddressEnabled": False,
        "AutofillCreditCardEnabled": False,
        "BrowserSignin": 0,
        "MetricsReportingEnabled": False,
        "DefaultNotificationsSetting": 2,
        "AutoplayAllowlist": [screen],
    }
    return _json(policy | {POLICY_MARK: _digest(_json(policy))})


def _json(policy: dict[str, object]) -> str:
    return json.dumps(policy, indent=2) + "\n"


def _unit(name: str, template: str, values: dict[str, str]) -> Wanted:
    return _marked(f"/etc/systemd/system/{name}", _filled(template, values))


def _filled(template: str, values: dict[str, str]) -> str:
    text = files(__package__).joinpath("templates", template).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _marked(path: str, content: str) -> Wanted:
    return Wanted(PurePosixPath(path), f"{MARK}{_digest(content)}\n{content}")


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _writable(data_dir: Path) -> str:
    """The line of systemd.exec(5) that opens a data folder outside of `STATE_DIR`; quoted where it holds a space."""
    path = data_dir.as_posix()
    if PurePosixPath(path).is_relative_to(STATE_DIR):
        return ""
    return f'ReadWritePaths="{path}"\n' if " " in path else f"ReadWritePaths={path}\n"
