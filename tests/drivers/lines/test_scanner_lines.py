"""Scanners that expect an answer, and scanners on a network: on real ptys and sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import serial
import serial.rfc2217

from drivers.device import Device
from drivers.errors import BadDeviceSettings, DeviceBusy, DeviceDenied, DeviceMissing
from drivers.events import DataEvent, ErrorEvent, PaymentCardRefused
from drivers.lines import ssi as ssi_packets
from drivers.lines.line import LineProtocol
from drivers.lines.ports import Plugged, Wire, names, plugged_in, why_not_opened
from drivers.lines.serial_scanner import SerialScanner, SerialSettings
from drivers.simulators.channels import VirtualSerialScanner
from drivers.simulators.lines import VirtualSsiScanner, VirtualTcpScanner
from drivers.supervisor import Supervisor

Run = Callable[[Sequence[Device]], Supervisor]


@pytest.fixture
def ssi(tmp_path: Path) -> Iterator[VirtualSsiScanner]:
    hardware = VirtualSsiScanner(tmp_path)
    yield hardware
    hardware.close()


@pytest.fixture
def tcp() -> Iterator[VirtualTcpScanner]:
    hardware = VirtualTcpScanner()
    yield hardware
    hardware.close()


def test_ssi_scan_is_acknowledged(ssi: VirtualSsiScanner, run: Run, till: Any) -> None:
    run([SerialScanner("zebra", SerialSettings(str(ssi.path), protocol=LineProtocol.SSI), ())])
    assert ssi.scan_packet("4006381333931") == 1
    event = till.next(DataEvent)
    assert (event.scan_data_label, event.aim, event.scan_data_type) == ("4006381333931", "]E0", "EAN-13")
    assert ssi.scan_packet("4111111111111111", symbology=0x03) == 1
    assert till.next(PaymentCardRefused).device == "zebra"


def test_ssi_damaged_packet_is_asked_for_again(ssi: VirtualSsiScanner, run: Run, till: Any) -> None:
    run([SerialScanner("zebra", SerialSettings(str(ssi.path), protocol=LineProtocol.SSI), ())])
    ssi.send(bytes.fromhex("0C F3 00 00 0B 34 30 30 36 33 38 31 00 00"))
    assert not ssi.acknowledged(2), "a NAK"
    assert ssi.scan_packet("4006381333931") == 1
    assert till.next(DataEvent).scan_data_label == "4006381333931"
    assert till.nothing_more()


def test_ssi_scanner_that_nobody_acknowledges_tries_three_times(ssi: VirtualSsiScanner) -> None:
    with pytest.raises(DeviceBusy, match="nobody acknowledges"):
        ssi.scan_packet("4006381333931", within_s=0.05)


def test_ack_and_nak(tmp_path: Path, run: Run, till: Any) -> None:
    hardware = VirtualSerialScanner(tmp_path)
    run([SerialScanner("honeywell", SerialSettings(str(hardware.path), protocol=LineProtocol.ACK), ())])
    hardware.scan("4006381333931")
    assert hardware.answer(2) == b"\x06"
    hardware.send(b"400638")
    assert hardware.answer(2) == b"\x15"
    assert till.next(DataEvent).scan_data_label == "4006381333931"
    assert till.next(ErrorEvent).code == "cut"
    hardware.close()


def test_tcp_scanner_comes_goes_and_comes_back(tcp: VirtualTcpScanner, run: Run, till: Any) -> None:
    run([SerialScanner("net", SerialSettings(tcp.port), ())])
    tcp.scan("4006381333931")
    assert till.next(DataEvent).scan_data_label == "4006381333931"
    tcp.unplug()
    assert "went away" in till.wait_status("offline").text
    tcp.plug()
    till.wait_status("online")
    tcp.scan("4006381333948")
    assert till.next(DataEvent).scan_data_label == "4006381333948"


def test_tcp_scanner_with_acks_and_a_suffix_of_its_own(tcp: VirtualTcpScanner, run: Run, till: Any) -> None:
    run([SerialScanner("net", SerialSettings(tcp.port, protocol=LineProtocol.ACK, suffix=b"##"), ())])
    tcp.scan("line 1\rline 2", aim="]Q1", suffix=b"##")
    assert till.next(DataEvent).scan_data_label == "line 1\rline 2"
    assert tcp.answer(2) == b"\x06"


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    with pytest.raises(DeviceMissing, match="no answer from the port"):
        SerialScanner("net", SerialSettings(f"socket://127.0.0.1:{free}"), ()).claim()


class PortServer:
    """A port server of RFC 2217 with pyserial's own protocol engine. Its port is a loop: a pty has no modem lines."""

    def __init__(self) -> None:
        self._serial = serial.serial_for_url("loop://", timeout=0.1)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"
        self._stop = threading.Event()
        self.answers: list[tuple[bytes, bool]] = []
        """Each byte that the till sent, and whether it asked for the line then."""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def scan(self, data: bytes) -> None:
        self._serial.write(data)

    @property
    def asked_for(self) -> bool:
        return bool(self._serial.rts)

    def write(self, data: bytes) -> None:
        self._peer.sendall(data)

    def _serve(self) -> None:
        self._peer, _ = self._listener.accept()
        manager = serial.rfc2217.PortManager(self._serial, self)
        self._peer.settimeout(0.05)
        while not self._stop.is_set():
            try:
                data = self._peer.recv(1024)
                if not data:
                    return
                self.answers += [(byte, self._serial.rts) for byte in manager.filter(data)]
            except TimeoutError:
                pass
            waiting = self._serial.read(self._serial.in_waiting)
            if waiting:
                self.write(b"".join(manager.escape(waiting)))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._peer.close()
        self._listener.close()
        self._serial.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name)\\(\\) is deprecated:DeprecationWarning")
def test_a_scanner_behind_a_port_server(run: Run, till: Any) -> None:
    server = PortServer()
    supervisor = run([SerialScanner("served", SerialSettings(server.url), ())])
    server.scan(b"]E04006381333931\r")
    assert till.next(DataEvent).scan_data_label == "4006381333931"
    supervisor.stop()
    server.close()


@pytest.mark.filterwarnings("ignore:set(Daemon|Name)\\(\\) is deprecated:DeprecationWarning")
def test_an_ssi_line_is_asked_for_only_while_we_answer(run: Run, till: Any) -> None:
    server = PortServer()
    supervisor = run([SerialScanner("served", SerialSettings(server.url, protocol=LineProtocol.SSI), ())])
    assert not server.asked_for, "the scanner waits while the till asks for the line"
    server.scan(ssi_packets.packet(ssi_packets.DECODE_DATA, b"\x0b4006381333931", source=0))
    assert till.next(DataEvent).scan_data_label == "4006381333931"
    deadline = time.monotonic() + 5
    while (len(server.answers) < len(ssi_packets.ACK) or server.asked_for) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert b"".join(byte for byte, _ in server.answers) == ssi_packets.ACK
    assert all(asked for _, asked in server.answers)
    assert not server.asked_for
    supervisor.stop()
    server.close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        # What pyserial raises on Windows: the number is in the text alone.
        (serial.SerialException("could not open port 'COM9': FileNotFoundError(2, 'x', None, 2)"), DeviceMissing),
        (serial.SerialException("could not open port 'COM9': PermissionError(13, 'x', None, 5)"), DeviceBusy),
        (PermissionError(13, "denied"), DeviceDenied),
        (OSError(16, "busy"), DeviceBusy),
        (ValueError("baud"), BadDeviceSettings),
        (serial.SerialException("Could not configure port"), BadDeviceSettings),
    ],
)
def test_why_a_port_does_not_open(error: Any, kind: type[Exception]) -> None:
    if isinstance(error, PermissionError):
        error = OSError(13, "denied")
    assert isinstance(why_not_opened(error, "COM9", Wire()), kind)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefix": b"x" * 17},
        {"suffix": b"\t", "protocol": LineProtocol.SSI},
        {"prefix": b"x", "protocol": LineProtocol.SSI},
    ],
)
def test_settings_that_do_not_go_together(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadDeviceSettings, match="expected"):
        SerialSettings("port", **wrong)


def test_what_a_configuration_names() -> None:
    scanner = Plugged("serial", "/dev/serial/by-id/usb-x", "0c2e:0b6a:S1", "Scanner")
    for wanted in ("0C2E:0B6A", "0c2e:0b6a:S1", "/dev/serial/by-id/usb-x"):
        assert names(wanted, scanner)
    for wanted in ("0c2e:0b6b", "0c2e:0b6a:S2", "/dev/ttyUSB0", "socket://x:1", "0"):
        assert not names(wanted, scanner)
    assert names("0", Plugged("camera", "/dev/video0", "", "cam"))
    assert all(isinstance(each, Plugged) for each in plugged_in())
