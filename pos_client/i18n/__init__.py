"""Translations: English sentences in the code, a gettext catalogue (`.po`) for every other language."""

from __future__ import annotations

import functools
import gettext
import io
from collections.abc import Callable
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("nl", "en")
"""What screens and receipts speak; English is the language of the code and needs no catalogue."""

Translator = Callable[[str], str]


def mark(text: str) -> str:
    """Mark a sentence that is kept in a table and translated later, so that extraction finds it."""
    return text


@functools.cache
def translator(language: str) -> Translator:
    """The function from an English sentence to the same in `language` ("nl" or "en").

    Raises:
        ValueError: another language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"expected a language of {', '.join(LANGUAGES)}, got '{language}'")
    if language == "en":
        return gettext.NullTranslations().gettext
    # The catalogue is compiled in memory: one file to edit, and none that can be older than its source.
    source = files(__name__).joinpath(f"{language}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source), locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled).gettext
