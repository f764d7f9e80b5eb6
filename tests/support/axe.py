"""Axe, which looks for what keeps people from using a page, on a page that is open in a browser."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

IMPACTS = frozenset({"serious", "critical"})
LONGEST = 200
"""Characters of each element that is named."""
LOOKS = frozenset({"small-light-nl", "large-dark-nl"})
"""Where it looks at every page: what it can find differs with colours and with size, and each of those is among them.
The other windows are of the same colours and sizes the other way round."""
_RUN = "async () => (await axe.run({resultTypes: ['violations']})).violations"


def serious(page: Page) -> list[str]:
    """What axe finds serious or critical on `page`: the rule and the element of each."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)  # half a megabyte, once for as long as the page is open
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [
        f"{problem['id']}: {node['html'][:LONGEST]}"
        for problem in found
        if problem["impact"] in IMPACTS
        for node in problem["nodes"]
    ]
