"""What a window shows while the till behind it is away: not a balance that may be old, but what is going on."""

from __future__ import annotations

import html
import json

from nicegui import ui

from pos_client.i18n import translator


def say_when_away(language: str) -> None:
    """Give NiceGUI's sign of a lost connection our words, in the language of the window that is being built.

    NiceGUI shows and hides it, and has no Dutch; how it looks is in `cashier.css`.
    """
    _ = translator(language)
    title = html.escape(_("The till does not answer"))
    text = html.escape(_("Sell on: what was booked is safe. This screen comes back by itself."))
    words = json.dumps(f"<span>{title}</span><span>{text}</span>")
    ui.add_head_html(
        "<script>addEventListener('DOMContentLoaded', () => {"
        "const sign = document.getElementById('popup');"
        f"sign.setAttribute('role', 'alert'); sign.innerHTML = {words};"
        "})</script>"
    )
