"""The few elements that the manager's pages are made of: plain HTML, so that keyboard and screen reader know them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments

Form = dict[str, str]
"""A form as it was sent: names of its fields, and what was typed."""
MAX_FIELD = 300
"""Characters of one field that are taken from a browser; the longest that is wanted is a reason of 200."""


def el(tag: str, text: str = "", css: str = "", **attributes: str | bool | int) -> Element:
    """An element with a text; a trailing `_` in an attribute's name is dropped, and `_` within becomes `-`."""
    made = TextElement(tag=tag, text=text)
    if css:
        made.classes(css)
    made.props.update({name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()})
    return made


def button(text: str, press: Callable[[], Awaitable[None]], css: str = "", **attributes: str | bool | int) -> Element:
    """A button; a second press while the first is under way is none."""
    busy = False

    async def once() -> None:
        nonlocal busy
        if busy:
            return
        busy = True
        try:
            await press()
        finally:
            busy = False

    return el("button", text, css, type="button", **attributes).on("click", once, args=[])


def form(
    send: Callable[[Form], Awaitable[None]], css: str = "", *, empties: bool = False, **attributes: str
) -> Element:
    """A form whose fields go to `send` by name. A second sending while the first is under way is none.

    Args:
        empties: whether it is empty afterwards: the next scan comes alone, and no card number stays on the screen.
    """
    busy = False

    async def once(event: GenericEventArguments) -> None:
        nonlocal busy
        if busy or not isinstance(event.args, dict):
            return
        busy = True
        try:
            await send({str(name): str(value)[:MAX_FIELD] for name, value in event.args.items()})
        finally:
            busy = False

    return el("form", "", css, **attributes).on(
        "submit",
        once,
        js_handler="(event) => { event.preventDefault(); emit(Object.fromEntries(new FormData(event.target)));"
        + (" event.target.reset(); }" if empties else " }"),
    )


def field(label: str, name: str, css: str = "", **attributes: str | bool | int) -> Element:
    """A labelled input."""
    with el("label", "", f"field {css}"):
        el("span", label)
        return el("input", **{"name": name, "maxlength": MAX_FIELD, **attributes})  # type: ignore[arg-type]


def focus(made: Element) -> None:
    """Give an element the focus once it is there; the attribute `autofocus` counts when a page is loaded, not later."""
    made.on("vnodeMounted", js_handler="(node) => node.el.focus()")


def choice(label: str, name: str, options: Sequence[tuple[str, str]], css: str = "") -> None:
    """A labelled choice of (value, text)."""
    with el("label", "", f"field {css}"):
        el("span", label)
        with el("select", name=name):
            for value, text in options:
                el("option", text, value=value)


Column = tuple[str, Literal["text", "number"]]
"""A heading, and whether what stands under it is right-aligned."""


def table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> None:
    """A table. A cell is a text, a (text, title) that says it exactly on hover, or a function that fills the cell."""
    with el("div", "", "scroll", tabindex=0, role="region", aria_label=caption), el("table"):
        el("caption", caption)
        with el("thead"), el("tr"):
            for name, kind in columns:
                el("th", name, kind, scope="col") if name else el("td")
        with el("tbody"):
            for row in rows:
                with el("tr"):
                    for (_, kind), cell in zip(columns, row, strict=True):
                        _cell(kind, cell)


def _cell(kind: str, cell: Any) -> None:
    if callable(cell):
        with el("td", "", kind):
            cell()
    elif isinstance(cell, tuple):
        el("td", cell[0], kind, title=cell[1])
    else:
        el("td", str(cell), kind)


def facts(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values, one below the other."""
    with el("dl", "", "facts"):
        for name, value in rows:
            with el("div"):
                el("dt", name)
                el("dd", value)


def drawing(svg: str) -> None:
    """A drawing of our own making: every text in it is escaped by whoever made it."""
    ui.html(svg, sanitize=False).classes("drawing")
