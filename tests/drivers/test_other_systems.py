"""A till on Windows has no evdev, no fcntl and no termios: the rooms import without them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The libraries choose their own back end for each system and are imported first; then what Linux alone has is taken
# away, and every room of ours but the simulated ones (ptys and FIFOs) is imported.
PROBE = """
import sys
import serial, serial.tools.list_ports, serial.rfc2217, structlog, zxingcpp, numpy, biip
from importlib import import_module
from pathlib import Path

GONE = {"evdev", "fcntl", "termios", "pty", "tty", "hidraw"}
for name in list(sys.modules):
    if name.split(".")[0] in GONE:
        del sys.modules[name]

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in GONE:
            raise ImportError(f"{name} is not there on Windows")

sys.meta_path.insert(0, Block())
rooms = [path for path in sorted(Path("drivers").rglob("*.py")) if "simulators" not in path.parts]
for room in rooms:
    import_module(".".join(room.with_suffix("").parts))
from drivers.hid.source import enumerate_hid
enumerate_hid()
import pos_client.device_settings, pos_client.device_examination
print(len(rooms))
"""


def test_every_room_imports_without_what_linux_alone_has() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    assert int(done.stdout) > 40
