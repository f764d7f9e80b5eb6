"""A till in a process of its own that dies, kill -9, between booking a sale and answering: run with a folder."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from pos_client.events import EventKind, TillEvent
from pos_client.plugin.api import create_api
from tests.pos_client.plugin.conftest import TOKEN, serving
from tests.support.till import reopened

runtime = reopened(Path(sys.argv[1]))


def die(event: TillEvent) -> None:
    """Told after the sale is on the disk, before anything is answered."""
    if event.kind in (EventKind.SALE_BOOKED, EventKind.RETURN_BOOKED):
        os.kill(os.getpid(), signal.SIGKILL)


runtime.bus.listen(die)
with serving(create_api(runtime, TOKEN)) as address:
    print(address, flush=True)
    threading.Event().wait()
