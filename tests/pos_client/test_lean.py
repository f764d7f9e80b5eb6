"""What a start does not load: each of these costs tenths of a second and megabytes that most tills never use."""

from __future__ import annotations

import subprocess
import sys

START = """
import sys
import pos_client.commands.till
from pos_client.lean import UNUSED, without_clients
with without_clients():
    import pos_client.serve
print(*sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[1:])))
import requests, aiohttp  # they can still be had by who needs them
"""
HEAVY = ("aiohttp", "cv2", "numpy", "reportlab", "requests", "sqlite_utils", "zxingcpp")


def test_a_start_does_without() -> None:
    done = subprocess.run([sys.executable, "-c", START, *HEAVY], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr
