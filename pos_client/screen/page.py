"""One open window of the cashier's screen: one component, and the one place that gives it a view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib.resources import files

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from pos_client.i18n import LANGUAGES, translator
from pos_client.screen.memory import Tone
from pos_client.screen.view import View

MARK = files(__package__).joinpath("mark.svg").read_text(encoding="utf-8")
_CSS = files(__package__).joinpath("cashier.css").read_text(encoding="utf-8")

KEYS = frozenset({*(f"F{number}" for number in range(2, 10)), "F12", "Escape", "Ctrl+Z"})
"""What a browser may say was pressed; anything else is dropped."""


class CashierPage(Element, component="cashier.js"):
    """One window. Built inside a NiceGUI page function; used on the server's loop only.

    One component rather than a NiceGUI element for every text, and views by a call rather than by a property: the
    browser renders all of NiceGUI's elements together at every change of one, which took longer than everything else
    between the scan and the screen.
    """

    def __init__(
        self,
        language: str,
        view: View,
        on_key: Callable[[str], Awaitable[None]],
        on_typed: Callable[[object], Awaitable[None]],
    ) -> None:
        super().__init__()
        ui.add_head_html(f"<style>{_CSS}</style>")
        self.language = language
        self._shown = view
        self._on_key = on_key
        self.props.update(
            first=asdict(view), words=_words(language), keys=_keys(language), languages=list(LANGUAGES), mark=MARK
        )
        self._on_typed = on_typed
        self.on("press", self._press)
        self.on("typed", self._typed)

    def apply(self, view: View, tone: Tone | None = None) -> None:
        """Show `view` and sound `tone`; the same view again, in silence, costs nothing."""
        if view != self._shown or tone is not None:
            self._shown = view
            self.run_method("show", view, tone)  # NiceGUI writes dataclasses as JSON itself, without a copy

    async def _press(self, event: GenericEventArguments) -> None:
        if event.args in KEYS:
            await self._on_key(event.args)

    async def _typed(self, event: GenericEventArguments) -> None:
        await self._on_typed(event.args)


def _words(language: str) -> dict[str, str]:
    """The texts that never change."""
    _ = translator(language)
    return {
        "help": _("Help"),
        "language": _("Language"),
        "rewards": _("Rewards"),
        "undo": _("Undo"),
        "receipt": _("Receipt"),
        "saves": _("Earns"),
        "redeems": _("Redeems"),
        "to_pay": _("To pay"),
        "keys": _("Keys"),
        "any_time": _("Scan or swipe a card at any time: it goes with the receipt on the screen."),
        "close": _("Close"),
    }


def _keys(language: str) -> list[tuple[str, str]]:
    """The keys and what they do, for the help."""
    _ = translator(language)
    return [
        ("F2–F9", _("Give this reward")),
        ("F12 / Enter", _("Finish: book the points")),
        ("Ctrl Z", _("Undo the booking, for ten seconds")),
        ("Esc", _("Cancel: drop the card and the receipt")),
        ("F1", _("This help")),
    ]
