"""A till in a process of its own with its screens, until it is stopped: run with a folder and a page's origin."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from pos_client.serve import create_app
from tests.pos_client.plugin.conftest import TOKEN, serving
from tests.support.till import reopened

runtime = reopened(Path(sys.argv[1]), plugin={"origins": sys.argv[2:]})
with serving(create_app(runtime, TOKEN)) as address:
    print(address, flush=True)
    threading.Event().wait()
