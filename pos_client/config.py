"""The configuration: every key of config.example.toml, typed; TOML first, then SPAARPUNT_… environment variables."""

from __future__ import annotations

import difflib
import os
import tomllib
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, StrictInt, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from loyalty.cards import CardFormat

ENV_PREFIX = "SPAARPUNT_"
CONFIG_VARIABLE = "SPAARPUNT_CONFIG"
Port = Annotated[int, Field(ge=1, le=65535)]


class ConfigError(Exception):
    """The configuration cannot be used; `problems` holds one line each: path, what was expected, nearest known key."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        super().__init__(f"{source}: " + "; ".join(problems))


def _data_dir() -> Path:
    return Path(platformdirs.user_data_dir("spaarpunt", appauthor=False))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TillConfig(_Section):
    """[till]: which till this is and where it keeps its things."""

    name: Annotated[str, Field(min_length=1, max_length=60)] = "kassa 1"
    data_dir: Path = Field(default_factory=lambda: _data_dir() / "till")
    key_file: Path | None = None
    head_office_url: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8320")
    language: Literal["nl", "en"] = "nl"
    time_zone: str = "Europe/Amsterdam"
    business_day_starts: time = time(4, 0)
    show_first_name: bool = True

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"expected an IANA time zone such as 'Europe/Amsterdam', got '{value}'") from error
        return value

    @property
    def store_key_file(self) -> Path:
        """Where the database key lies: `key_file`, or `store.key` in the data folder."""
        return self.key_file or self.data_dir / "store.key"


KeyboardLayout = Literal["us", "nl", "be-azerty", "de", "fr", "tr"]


class ScreenConfig(_Section):
    """[screen]: loopback port of the cashier screen and the plug-in API; what is typed into it."""

    port: Port = 8321
    layout: KeyboardLayout = "us"
    manual_sales: bool = False


Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?(:[0-9]{1,5})?$")]
"""A web page's origin as browsers send it (RFC 6454, 6.1): no slash at the end."""


class PluginConfig(_Section):
    """[plugin]: the API for the till's own software."""

    token_file: Path | None = None
    origins: Annotated[tuple[Origin, ...], Field(max_length=8)] = ()
    session_timeout_s: Annotated[int, Field(ge=5, le=86_400)] = 1800


class AdaptersConfig(_Section):
    """[adapters]: protocols that other tills speak already. Each off until it is asked for."""

    odoo_origins: Annotated[tuple[Origin, ...], Field(max_length=8)] = ()
    toast: bool = False
    nexo: bool = False


class ReceiptsConfig(_Section):
    """[receipts]: what is printed on the first configured printer by itself."""

    print: bool = True
    """Sales, voids and returns, as soon as they are booked."""


class SyncConfig(_Section):
    """[sync]: how the agent talks to head office. Seconds."""

    poll_s: Annotated[int, Field(ge=1, le=3600)] | None = None
    """None: as head office wishes."""
    timeout_s: Annotated[int, Field(ge=1, le=120)] = 10
    night_from: time = time(2)
    night_to: time = time(5)
    hold_ms: Annotated[int, Field(ge=50, le=10_000)] = 400
    """Milliseconds."""


class CredentialsConfig(_Section):
    """[credentials]: what rotating QR credentials are checked with. Two of each: one in force, one being replaced."""

    public_keys: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")], ...], Field(max_length=2)] = ()
    totp_secret_files: Annotated[tuple[Path, ...], Field(max_length=2)] = ()


class LogConfig(_Section):
    """[log]: structured lines on standard error; those of a running till in files too."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    folder: Path | None = None


class HqConfig(_Section):
    """[hq]: head office, where `spaarpunt hq` runs."""

    database_url: str | None = None
    data_dir: Path = Field(default_factory=lambda: _data_dir() / "hq")
    host: str = "127.0.0.1"
    port: Port = 8320


# What a scanner puts before or after a scan: bytes, written as characters ("\t", "\u0002").
Mark = Annotated[str, Field(max_length=16, pattern="^[\u0000-\u00ff]*$")]


class SerialDevice(_Section):
    """A scanner on a serial line, USB-CDC, or a network port."""

    kind: Literal["serial"]
    port: Annotated[str, Field(min_length=1)]
    baudrate: Annotated[StrictInt, Field(ge=300, le=921_600)] = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    protocol: Literal["plain", "ack", "ssi"] = "plain"
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    layout: KeyboardLayout = "us"
    prefix: Mark = ""
    suffix: Mark = ""


class WedgeDevice(_Section):
    """A reader that types: an input device, or a recorded stream of its events."""

    kind: Literal["wedge"]
    path: Path
    layout: KeyboardLayout = "us"
    grab: bool = True
    prefix: Mark = ""
    suffix: Mark = ""
    track_prefix: Mark = ""
    track_suffix: Mark = ""
    line_per_track: bool = False


class HidReader(_Section):
    """A scanner or a magstripe reader in USB HID mode that is no keyboard."""

    kind: Literal["hid"]
    device: Annotated[str, Field(min_length=1)]
    layout: Literal["auto", "scanner", "msr", "magtek"] = "auto"


class PrinterDevice(_Section):
    """A receipt printer that speaks ESC/POS, and the cash drawer at it."""

    kind: Literal["printer"]
    port: Annotated[str, Field(min_length=1)]
    baudrate: Annotated[StrictInt, Field(ge=300, le=921_600)] = 38_400
    profile: Annotated[str, Field(min_length=1, max_length=60)] = "default"
    columns: Literal[32, 42, 48] = 42
    """Characters of its font A across."""


Share = Annotated[float, Field(ge=0, le=1)]


class CameraDevice(_Section):
    """A camera that looks at codes: an index, a device, or a folder of PNG frames."""

    kind: Literal["camera"]
    source: Annotated[str, Field(min_length=1)]
    formats: tuple[Literal["QR", "EAN-13", "CODE-128"], ...] = ("QR", "EAN-13", "CODE-128")
    fps: Annotated[StrictInt, Field(ge=1, le=30)] = 15
    region: tuple[Share, Share, Share, Share] = (0.0, 0.0, 1.0, 1.0)


DeviceConfig = Annotated[
    SerialDevice | WedgeDevice | HidReader | CameraDevice | PrinterDevice, Field(discriminator="kind")
]
DEVICE_KINDS: dict[str, type[_Section]] = {
    "serial": SerialDevice,
    "wedge": WedgeDevice,
    "hid": HidReader,
    "camera": CameraDevice,
    "printer": PrinterDevice,
}
"""What `kind` may be, and what a device of that kind takes."""


class Config(BaseSettings):
    """The whole configuration. Immutable once loaded."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    till: TillConfig = TillConfig()
    screen: ScreenConfig = ScreenConfig()
    plugin: PluginConfig = PluginConfig()
    adapters: AdaptersConfig = AdaptersConfig()
    receipts: ReceiptsConfig = ReceiptsConfig()
    sync: SyncConfig = SyncConfig()
    credentials: CredentialsConfig = CredentialsConfig()
    log: LogConfig = LogConfig()
    hq: HqConfig = HqConfig()
    card_formats: tuple[CardFormat, ...] = ()
    devices: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,29}$")], DeviceConfig] = {}

    @property
    def printer(self) -> PrinterDevice | None:
        """The first configured receipt printer, or None."""
        return next((device for device in self.devices.values() if isinstance(device, PrinterDevice)), None)

    @property
    def plugin_token_file(self) -> Path:
        """Where the bearer token lies: `plugin.token_file`, or `plugin.token` in the till's data folder."""
        return self.plugin.token_file or self.till.data_dir / "plugin.token"

    @property
    def log_folder(self) -> Path:
        """Where a running till's log files lie: `log.folder`, or `logs` in the till's data folder."""
        return self.log.folder or self.till.data_dir / "logs"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def find_config() -> Path | None:
    """The file read when none is named: SPAARPUNT_CONFIG, ./spaarpunt.toml, or the user's configuration folder."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    places = [Path("spaarpunt.toml"), Path(platformdirs.user_config_dir("spaarpunt", appauthor=False)) / "config.toml"]
    return next((place for place in places if place.is_file()), None)


def load_config(path: Path | None) -> Config:
    """Read `path` (or only defaults and the environment, when None).

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, or a wrong value; each with its path and what was expected.
    """
    document: dict[str, Any] = {}
    source = str(path) if path else "environment"
    if path is not None:
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(source, [f"cannot be read: {error.strerror}; copy config.example.toml there"]) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(source, [f"not valid TOML: {error}"]) from error
    problems = _unknown_variables()
    try:
        config = Config(**document)
    except ValidationError as error:
        problems += [_problem(dict(detail)) for detail in error.errors(include_url=False)]
    if problems:
        raise ConfigError(source, problems)
    return config


def _unknown_variables() -> list[str]:
    known = {f"{ENV_PREFIX}{name}".upper() for name in Config.model_fields} | {CONFIG_VARIABLE}
    problems = []
    for name in sorted(os.environ):
        if name.startswith(ENV_PREFIX) and name.split("__")[0] not in known:
            near = difflib.get_close_matches(name.split("__")[0], sorted(known), n=1)
            hint = f"; nearest known: {near[0]}" if near else ""
            problems.append(f"{name}: unknown environment variable{hint}")
    return problems


def _problem(detail: dict[str, Any]) -> str:
    """One line for one validation error: path, what was expected, what came; for a typo, the nearest known key."""
    loc: tuple[Any, ...] = tuple(part for part in detail["loc"] if part not in DEVICE_KINDS)
    path = ".".join(str(part) for part in loc)
    if detail["type"] != "extra_forbidden":
        shown = "" if detail["type"] == "missing" else f", got {_shown(detail.get('input'))}"
        return f"{path}: {detail['msg']}{shown}"
    known = _known_keys(detail["loc"][:-1])
    near = difflib.get_close_matches(str(loc[-1]), known, n=1)
    hint = f"nearest known key: {near[0]}" if near else f"known keys: {', '.join(known)}"
    return f"{path}: unknown key; {hint}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys allowed at `loc`, a path as pydantic reports it (list indexes and union tags included)."""
    if not loc:
        return sorted(Config.model_fields)
    if loc[0] == "card_formats":
        return sorted(CardFormat.model_fields)
    if loc[0] == "devices":
        model = next((DEVICE_KINDS[part] for part in loc if part in DEVICE_KINDS), SerialDevice)
        return sorted(model.model_fields)
    section = Config.model_fields[loc[0]].annotation
    return sorted(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []
