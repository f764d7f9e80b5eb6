"""One open window of the cashier's screen: one component, and the one place that gives it a view."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from pos_client.i18n import LANGUAGES, translator
from pos_client.screen.hand import Hand
from pos_client.screen.memory import Tone
from pos_client.screen.pad import TYPED
from pos_client.screen.shown import View

MARK = files(__package__).joinpath("mark.svg").read_text(encoding="utf-8")
_CSS = files(__package__).joinpath("cashier.css").read_text(encoding="utf-8")

KEYS = frozenset({*(f"F{number}" for number in range(2, 13)), "Escape", "Ctrl+Z", "Ctrl+P", "Backspace", *TYPED})
"""What a browser may say was pressed; anything else is dropped."""
SCORES = range(11)
"""What a customer may answer."""


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
        hand: Hand,
    ) -> None:
        super().__init__()
        ui.add_head_html(f"<style>{_CSS}</style>")
        self.language = language
        self._shown = view
        self._hand = hand
        self.props.update(
            first=asdict(view), words=_words(language), keys=_keys(language), languages=list(LANGUAGES), mark=MARK
        )
        self.on("press", self._press)
        self.on("typed", self._typed)
        self.on("answer", self._answer)

    def apply(self, view: View, tone: Tone | None = None) -> None:
        """Show `view` and sound `tone`; the same view again, in silence, costs nothing."""
        if view != self._shown or tone is not None:
            self._shown = view
            self.run_method("show", view, tone)  # NiceGUI writes dataclasses as JSON itself, without a copy

    async def _press(self, event: GenericEventArguments) -> None:
        if event.args in KEYS:
            await self._hand.press(event.args, self.language)

    async def _typed(self, event: GenericEventArguments) -> None:
        await self._hand.typed(event.args, self.language)

    async def _answer(self, event: GenericEventArguments) -> None:
        if isinstance(event.args, int) and event.args in SCORES:
            await self._hand.answer(event.args)


def _words(language: str) -> dict[str, str]:
    """The texts that never change."""
    _ = translator(language)
    return {
        "help": _("Help"),
        "language": _("Language"),
        "rewards": _("Rewards"),
        "mute": _("Sound"),
        "number": _("Number"),
        "return": _("Return"),
        "erase": _("Erase"),
        "least": _("certainly not"),
        "most": _("certainly"),
        "saves": _("Earns"),
        "redeems": _("Redeems"),
        "keys": _("Keys"),
        "any_time": _("Scan or swipe a card at any time: it goes with the receipt on the screen."),
        "close": _("Close"),
    }


def _keys(language: str) -> list[tuple[str, str]]:
    """The keys and what they do, for the help."""
    _ = translator(language)
    return [
        ("F2–F9", _("Give this reward; give it back")),
        ("F10", _("Type the number of a card or phone")),
        ("F11", _("Return: goods come back")),
        ("F12 / Enter", _("Finish: book the points")),
        ("Ctrl Z", _("Undo the booking, for ten seconds")),
        ("Ctrl P", _("Print the last receipt again")),
        ("Esc", _("Cancel: drop the card and the receipt")),
        ("Alt M", _("Sound on or off")),
        ("F1", _("This help")),
    ]
