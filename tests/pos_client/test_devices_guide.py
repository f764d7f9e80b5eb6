"""The guide to devices: ten scanners and readers, each with its mode and configuration lines that the drivers take."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from drivers.build import build_device
from pos_client.config import DEVICE_KINDS, DeviceConfig
from pos_client.device_settings import settings_for

GUIDE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")
BLOCKS = [block for block in re.findall(r"```toml\n(.*?)```", GUIDE, flags=re.DOTALL) if block.startswith("[devices.")]
NUMBERED = re.split(r"^### \d+\. ", GUIDE.split("\n### A scanner with a network port")[0], flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_builds_its_devices(block: str) -> None:
    devices = tomllib.loads(block)["devices"]
    assert devices
    for name, lines in devices.items():
        device = build_device(name, settings_for(TypeAdapter(DeviceConfig).validate_python(lines)), ())
        assert device.name == name


@pytest.mark.parametrize("section", NUMBERED, ids=lambda section: section.splitlines()[0])
def test_each_model_has_its_mode_its_manual_and_its_lines(section: str) -> None:
    assert re.search(r"[Cc]ode: |[Cc]odes: |needs no mode", section)
    assert re.search(r"Guide|Manual", section)
    assert "```toml" in section


def test_there_are_ten_models_and_every_kind_of_device() -> None:
    assert len(NUMBERED) == 10
    assert {lines["kind"] for block in BLOCKS for lines in tomllib.loads(block)["devices"].values()} == set(
        DEVICE_KINDS
    )
