"""What the programme tools read: programmes by file or sample name, and the JSON of baskets, members and returns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from loyalty.programme import Programme
from pos_client.samples import SAMPLES, sample

MAX_DOCUMENT_BYTES = 4_000_000
"""A programme of the most rules allowed has some 200 kB; more is another file by mistake."""

Document = TypeVar("Document", bound=BaseModel)


class Unreadable(ValueError):
    """A file or document that cannot be used; `problems` says what was expected where, one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


def read_programme(name: str) -> Programme:
    """The programme in the TOML or JSON file `name`, or the sample of that name.

    Raises:
        Unreadable: there is no such file or sample.
        ProgrammeError: it is no programme; each problem names its path and the fix.
    """
    if name in SAMPLES and not Path(name).exists():
        return Programme.from_toml(sample(name))
    text = read_text(name, f" or one of the samples {', '.join(SAMPLES)}")
    return Programme.from_json(text) if text.lstrip().startswith("{") else Programme.from_toml(text)


def read_document(model: type[Document], source: str) -> Document:
    """The JSON document in the file `source`, or `source` itself when it is one (it then begins with a brace).

    Raises:
        Unreadable: no such file, or not such a document.
    """
    text = source if source.lstrip().startswith("{") else read_text(source, " or the JSON itself")
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        name = "JSON" if text is source else source
        raise Unreadable([f"{name}: {problem}" for problem in _problems(error)]) from error


def _problems(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def read_text(name: str, else_what: str = "") -> str:
    """The text of a file.

    Raises:
        Unreadable: it is not there, too large, or not UTF-8.
    """
    path = Path(name)
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise Unreadable([f"{name}: expected at most {MAX_DOCUMENT_BYTES} bytes, got {path.stat().st_size}"])
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable([f"{name}: not UTF-8 at byte {error.start}: save it as UTF-8"]) from error
    except OSError as error:
        raise Unreadable([f"{name}: {error.strerror or 'cannot be read'}: expected a file{else_what}"]) from error
