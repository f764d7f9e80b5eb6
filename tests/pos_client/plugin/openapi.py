"""Writes docs/openapi.json as the API describes itself: python -m tests.pos_client.plugin.openapi."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from pos_client.plugin.api import create_api
from tests.support.till import make_runtime

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"


def described() -> str:
    """The description, as it is committed."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = make_runtime(Path(folder) / "till")
        try:
            schema = create_api(runtime, "t" * 43).openapi()
        finally:
            runtime.store.close()
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    COMMITTED.write_text(described(), encoding="utf-8")
