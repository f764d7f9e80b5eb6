"""From the configuration's devices to what the drivers take, and to the devices themselves."""

from __future__ import annotations

from drivers.build import DeviceSettings, build_device
from drivers.camera.settings import CameraSettings
from drivers.device import Device
from drivers.hid.device import HidSettings
from drivers.hid.reports import HidLayout
from drivers.keyboard.wedge import WedgeSettings
from drivers.lines.line import LineProtocol
from drivers.lines.ports import Wire
from drivers.lines.serial_scanner import SerialSettings
from drivers.printing.models import check_profile
from drivers.printing.receipt_printer import PrinterSettings
from drivers.recognition.reader import ReaderSettings
from pos_client.config import CameraDevice, Config, DeviceConfig, HidReader, PrinterDevice, SerialDevice, WedgeDevice
from pos_client.reckoning import card_patterns


def settings_for(device: DeviceConfig) -> DeviceSettings:
    """What the driver of a configured device takes.

    Raises:
        DriverError: settings that cannot work.
    """
    match device:
        case SerialDevice():
            return SerialSettings(
                port=device.port,
                wire=Wire(device.baudrate, device.data_bits, device.parity, device.stop_bits),
                encoding=device.encoding,
                layout=device.layout,
                protocol=LineProtocol(device.protocol),
                prefix=device.prefix.encode("latin-1"),
                suffix=device.suffix.encode("latin-1"),
            )
        case WedgeDevice():
            reader = ReaderSettings(
                prefix=device.prefix,
                suffix=device.suffix,
                track_prefix=device.track_prefix,
                track_suffix=device.track_suffix,
                line_per_track=device.line_per_track,
            )
            return WedgeSettings(path=str(device.path), layout=device.layout, grab=device.grab, reader=reader)
        case HidReader():
            return HidSettings(device=device.device, layout=HidLayout(device.layout))
        case CameraDevice():
            return CameraSettings(source=device.source, formats=device.formats, fps=device.fps, region=device.region)
        case PrinterDevice():
            check_profile(device.profile, device.columns)
            return PrinterSettings(port=device.port, baudrate=device.baudrate, profile=device.profile)


def build_devices(config: Config) -> list[Device]:
    """The configured devices, closed, in the configuration's order.

    Raises:
        DriverError: settings that cannot work, or a card format that bank cards use.
    """
    patterns = card_patterns(config.card_formats)
    return [build_device(name, settings_for(device), patterns) for name, device in config.devices.items()]
