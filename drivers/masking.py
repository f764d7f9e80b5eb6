"""How card data is shown wherever a person or a log may see it: the last four characters at most."""

from __future__ import annotations

__all__ = ["mask", "raised_at"]

_SHOWN = 4
# Four characters of something shorter than this would give away half of it or more.
_SHORTEST_SHOWN = 8


def mask(text: str | bytes) -> str:
    """Return `text` with all but its last four characters hidden; all of it when it is shorter than eight.

    The length is not shown either. Bytes are read as Latin-1, and a character that is not printable shows as `·`.
    """
    plain = text.decode("latin-1") if isinstance(text, bytes) else text
    if len(plain) < _SHORTEST_SHOWN:
        return "…"
    return "…" + "".join(char if char.isprintable() else "·" for char in plain[-_SHOWN:])


def raised_at(error: BaseException) -> str:
    """Return `function:line` where `error` was raised: what a report may say of it without its text and its locals."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return f"{step.tb_frame.f_code.co_qualname}:{step.tb_lineno}" if step is not None else "?"
