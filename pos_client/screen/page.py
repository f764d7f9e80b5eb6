"""The elements of one open cashier screen, and the one place that puts a view into them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Protocol

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from pos_client.i18n import LANGUAGES, Translator, mark, translator
from pos_client.screen.view import MAX_LINES, MAX_REWARDS, LineRow, RewardRow, View

MARK = files(__package__).joinpath("mark.svg").read_text(encoding="utf-8")
_CSS = files(__package__).joinpath("cashier.css").read_text(encoding="utf-8")
_JS = files(__package__).joinpath("cashier.js").read_text(encoding="utf-8")

_LANGUAGE_JS = (
    """document.addEventListener("DOMContentLoaded", () => {{ document.documentElement.lang = "{language}"; }});"""
)
"""This window's language, set after NiceGUI has set that of the till."""

_HELP = (
    ("F2–F9", mark("Give this reward")),
    ("F12 / Enter", mark("Finish: book the points")),
    ("Ctrl Z", mark("Undo the booking, for ten seconds")),
    ("Esc", mark("Cancel: drop the card and the receipt")),
    ("F1", mark("This help")),
)


class Commands(Protocol):
    """What the keys of the screen do."""

    async def press_reward(self, number: int) -> None:
        """Take the reward in row `number`, from 0."""

    async def press_action(self) -> None:
        """Book the sale."""

    async def press_cancel(self) -> None:
        """Drop what is on the screen."""

    async def press_undo(self) -> None:
        """Take the last booking back."""


def _element(tag: str, classes: str = "", **attributes: str) -> Element:
    element = ui.element(tag)
    element.classes(classes)
    element.props.update({name.replace("_", "-"): value for name, value in attributes.items()})
    return element


def _text(tag: str, classes: str = "", text: str = "", **attributes: str) -> TextElement:
    element = TextElement(tag=tag, text=text)
    element.classes(classes)
    element.props.update({name.replace("_", "-"): value for name, value in attributes.items()})
    return element


def _button(classes: str, key: str, handler: Callable[[], Awaitable[None]]) -> Element:
    # args=[]: the details of a click are nobody's business, and sending them costs time.
    return _element("button", classes, type="button", data_key=key).on("click", handler, args=[])


def _attribute(element: Element, name: str, value: str) -> None:
    """Set an attribute, and send it only when it changed."""
    if element.props.get(name) != value:
        element.props[name] = value


class _Reward:
    """One reward: the whole row is the button."""

    def __init__(self, number: int, commands: Commands) -> None:
        async def press() -> None:
            await commands.press_reward(number)

        key = f"F{number + 2}"
        self._button = _button("reward", key, press)
        with self._button:
            _text("kbd", text=key, aria_hidden="true")
            with _element("span", "what"):
                self._name = _text("span", "name")
                self._note = _text("span", "note")
            _element("i", aria_hidden="true")
            self._cost = _text("span", "cost")

    def apply(self, row: RewardRow | None) -> None:
        _attribute(self._button, "data-state", row.state if row else "none")
        _attribute(self._button, "aria-disabled", "false" if row and row.state == "ready" else "true")
        self._name.set_text(row.name if row else "")
        self._note.set_text(row.note if row else "")
        self._cost.set_text(row.cost if row else "")


class _Line:
    """One line of the receipt."""

    def __init__(self) -> None:
        self._item = _element("li")
        with self._item:
            self._text = _text("span")
            self._amount = _text("span", "amount")

    def apply(self, row: LineRow | None) -> None:
        _attribute(self._item, "data-kind", row.kind if row else "none")
        self._text.set_text(row.text if row else "")
        self._amount.set_text(row.amount if row else "")


class CashierPage:
    """One open window. Built inside a NiceGUI page function; used on the server's loop only."""

    def __init__(self, language: str, commands: Commands) -> None:
        self.language = language
        self._ = translator(language)
        self._commands = commands
        ui.add_head_html(
            f"<style>{_CSS}</style><script>{_JS}</script><script>{_LANGUAGE_JS.format(language=language)}</script>"
        )
        with _element("div", "till") as self._root:
            self._header()
            with _element("section", "left"):
                self._idle()
                self._member()
                self._strip()
            with _element("section", "right"):
                self._receipt()
            _button("escape", "Escape", commands.press_cancel).props["hidden"] = "hidden"
            self._help()
        self._client = ui.context.client

    def tone(self, kind: str) -> None:
        """Sound the tone "high" or "low"."""
        self._client.run_javascript(f'spaarpunt.tone("{kind}")')

    def apply(self, view: View) -> None:
        """Show `view`. Only what changed goes to the browser, in one message."""
        _attribute(self._root, "data-phase", view.phase)
        _attribute(self._badge_box, "data-net", "online" if view.online else "offline")
        self._badge.set_text(view.badge)
        self._place.set_text(view.place)
        self._devices.set_text(view.devices)
        self._clock.set_text(view.clock)
        self._shop.set_text(view.shop)
        self._hint.set_text(view.hint)
        self._last.set_text(view.last)
        self._name.set_text(view.name)
        self._tier.set_text(view.tier)
        self._balance.set_text(view.balance)
        self._unit.set_text(view.unit)
        self._as_of.set_text(view.as_of)
        for number, reward in enumerate(self._rewards):
            reward.apply(view.rewards[number] if number < len(view.rewards) else None)
        _attribute(self._reward_list, "data-many", "yes" if len(view.rewards) > MAX_REWARDS // 2 else "no")
        self._more.set_text(view.more_rewards)
        self._total.set_text(view.total)
        for number, line in enumerate(self._lines):
            line.apply(view.lines[number] if number < len(view.lines) else None)
        _attribute(self._sums, "data-shown", "yes" if view.to_pay else "no")
        self._earns.set_text(view.earns)
        self._earns_detail.set_text(view.earns_detail)
        _attribute(self._spends_row, "data-shown", "yes" if view.spends else "no")
        self._spends.set_text(view.spends)
        self._to_pay.set_text(view.to_pay)
        self._action_text.set_text(view.action.text)
        _attribute(self._action, "data-state", view.action.state)
        _attribute(self._action, "aria-disabled", "false" if view.action.state == "ready" else "true")
        _attribute(self._message_box, "data-mood", view.message.mood if view.message else "none")
        self._message.set_text(view.message.text if view.message else "")
        _attribute(self._undo, "data-shown", "yes" if view.undo else "no")
        self._announce.set_text(view.announce)

    # -- the parts ------------------------------------------------------------------------------------------------

    def _header(self) -> None:
        with _element("header"):
            with _element("span", "badge") as self._badge_box:
                _element("i", aria_hidden="true")
                self._badge = _text("span")
            self._place = _text("span", "place")
            self._devices = _text("span", "devices")
            with _element("button", "keys", type="button", data_help="yes"):
                _text("kbd", text="F1", aria_hidden="true")
                _text("span", text=self._("Help"))
            with _element("nav", "languages", aria_label=self._("Language")):
                for language in LANGUAGES:
                    link = _text("a", text=language.upper(), href=f"?lang={language}", hreflang=language)
                    if language == self.language:
                        link.props["aria-current"] = "true"
            self._clock = _text("span", "clock")

    def _idle(self) -> None:
        with _element("div", "idle"):
            ui.html(MARK, sanitize=False).classes("mark")
            self._shop = _text("h1")
            self._hint = _text("p", "hint")
            self._last = _text("p", "last")

    def _member(self) -> None:
        with _element("div", "member"):
            with _element("div", "who"):
                self._name = _text("span", "first-name")
                self._tier = _text("span", "tier")
            with _element("div", "points"):
                self._balance = _text("span", "balance")
                self._unit = _text("span", "unit")
            self._as_of = _text("p", "as-of")
            with _element("div", "rewards", role="group", aria_label=self._("Rewards")) as self._reward_list:
                self._rewards = [_Reward(number, self._commands) for number in range(MAX_REWARDS)]
            self._more = _text("p", "more")

    def _strip(self) -> None:
        with _element("div", "message") as self._message_box:
            _element("i", aria_hidden="true")
            self._message = _text("span", "text")
            self._undo = _button("undo", "Ctrl+Z", self._commands.press_undo)
            with self._undo:
                _text("kbd", text="Ctrl Z", aria_hidden="true")
                _text("span", text=self._("Undo"))
        self._announce = _text("p", "announce", role="status", aria_live="polite")

    def _receipt(self) -> None:
        with _element("div", "row heading"):
            _text("span", text=self._("Receipt"))
            self._total = _text("span", "amount")
        with _element("ol", "lines"):
            self._lines = [_Line() for _number in range(MAX_LINES)]
        with _element("div", "sums") as self._sums:
            with _element("div", "row"):
                _text("span", text=self._("Saves"))
                self._earns_detail = _text("span", "detail")
                self._earns = _text("span", "amount")
            with _element("div", "row") as self._spends_row:
                _text("span", text=self._("Redeems"))
                self._spends = _text("span", "amount")
            with _element("div", "row pay"):
                _text("span", text=self._("To pay"))
                self._to_pay = _text("span", "amount")
        self._action = _button("action", "F12", self._commands.press_action)
        with self._action:
            _element("i", aria_hidden="true")
            _text("kbd", text="F12", aria_hidden="true")
            self._action_text = _text("span")

    def _help(self) -> None:
        _: Translator = self._
        with _element("dialog", "help", aria_label=_("Help")):
            _text("h2", text=_("Keys"))
            with _element("dl"):
                for key, text in _HELP:
                    with _element("dt"):
                        _text("kbd", text=key)
                    _text("dd", text=_(text))
            _text("p", text=_("Scan or swipe a card at any time: it goes with the receipt on the screen."))
            _text("button", "close", _("Close"), type="button", autofocus="autofocus")
