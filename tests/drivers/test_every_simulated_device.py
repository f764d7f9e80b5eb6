"""Every simulated device can be garbled, unplugged and plugged in again, as the demo's panel does, and reads on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers.build import build_device
from drivers.device import Device
from drivers.events import DataEvent, ErrorEvent, StatusUpdateEvent
from drivers.printing.escpos_job import Cut
from drivers.printing.receipt_printer import PrinterSettings, ReceiptPrinter
from drivers.simulators.channels import VirtualCamera
from drivers.simulators.printer import VirtualPrinter
from drivers.supervisor import Supervisor
from tests.drivers.channels import CHANNELS, Channel, Rig

Run = Callable[[Sequence[Device]], Supervisor]


def present(rig: Rig, number: str) -> None:
    if rig.scan is not None:
        rig.scan(number, "]C0")
    elif rig.swipe is not None:
        rig.swipe(f";{number}?")


def garble(rig: Rig) -> None:
    hardware: Any = rig.hardware
    if isinstance(hardware, VirtualCamera):
        hardware.show_noise()
    else:
        hardware.send(b"\xff\x00\xfe" * 20 + b"\r")


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_garbled_unplugged_and_plugged_in(channel: Channel, tmp_path: Path, run: Run, till: Any) -> None:
    rig = channel.build(tmp_path)
    hardware: Any = rig.hardware
    run([build_device(channel.name, rig.settings, ())])
    present(rig, "2800000000015")
    assert till.next(DataEvent).scan_data_label == "2800000000015"
    garble(rig)
    hardware.unplug()
    deadline = time.monotonic() + 5
    while True:
        event = till.events.get(timeout=max(0.0, deadline - time.monotonic()))
        # Noise comes to an error, to nothing, or to a scan of noise; never to a card, and never to a defect of ours.
        assert not (isinstance(event, StatusUpdateEvent) and "report this" in event.text)
        assert not (isinstance(event, ErrorEvent) and event.code == "internal")
        assert not (isinstance(event, DataEvent) and event.scan_data_label.isdigit())
        if isinstance(event, StatusUpdateEvent) and event.status == "offline":
            break
    hardware.plug()
    till.wait_status("online")
    present(rig, "2800000000022")
    assert till.next(DataEvent).scan_data_label == "2800000000022"
    hardware.close()


def test_a_printer_garbled_unplugged_and_plugged_in(tmp_path: Path, run: Run, till: Any) -> None:
    hardware = VirtualPrinter(tmp_path)
    printer = ReceiptPrinter("bon", PrinterSettings(hardware.port))
    run([printer])
    # It has answered once: from now on silence and noise mean something.
    printer.print([Cut()]).result(5)
    hardware.garble()
    assert "does not answer" in till.wait_status("failed").text
    assert till.wait_status("online").text == "ready"
    hardware.unplug()
    till.wait_status("offline")
    hardware.plug()
    till.wait_status("online")
    hardware.close()
