"""The catalogues: every sentence in the code has a text, and no text is left over."""

from __future__ import annotations

import io
import string
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import pos_client
from pos_client.i18n import LANGUAGES, translator

CODE = Path(pos_client.__file__).parent
CATALOGUES = [language for language in LANGUAGES if language != "en"]


def catalogue(language: str) -> Catalog:
    return read_po(io.BytesIO(files("pos_client.i18n").joinpath(f"{language}.po").read_bytes()), locale=language)


def sentences_in_code() -> set[str]:
    found = extract_from_dir(CODE, method_map=[("**.py", "python")], keywords={"_": None, "mark": None})
    return {str(message) for _file, _line, message, _comments, _context in found}


def test_the_code_has_sentences() -> None:
    assert {"Finish", "This is a bank card: use the payment terminal", "Close"} <= sentences_in_code()


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_sentence_has_a_text_and_none_is_stale(language: str) -> None:
    texts = {str(message.id): str(message.string) for message in catalogue(language) if message.id}
    assert set(texts) == sentences_in_code()
    assert [sentence for sentence, text in texts.items() if not text.strip()] == []


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_text_fills_in_what_its_sentence_does(language: str) -> None:
    def fields(text: str) -> set[str]:
        return {name for _text, name, _spec, _conversion in string.Formatter().parse(text) if name}

    for message in catalogue(language):
        assert fields(str(message.string)) == fields(str(message.id)) or not message.id


@pytest.mark.parametrize("language", CATALOGUES)
def test_nothing_is_fuzzy(language: str) -> None:
    assert [message.id for message in catalogue(language) if message.fuzzy and message.id] == []


def test_translating() -> None:
    assert translator("nl")("Finish") == "Afronden"
    assert translator("en")("Finish") == "Finish"
    assert translator("nl")("a sentence that nobody wrote") == "a sentence that nobody wrote"


def test_another_language_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a language of nl, en, got 'fr'"):
        translator("fr")
