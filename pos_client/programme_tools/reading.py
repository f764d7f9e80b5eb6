"""What the programme tools read: programmes by file or sample name, and the JSON of baskets, members and returns."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from loyalty.programme import Programme
from pos_client.programme_tools.logo import with_logo
from pos_client.samples import SAMPLES, sample

MAX_DOCUMENT_BYTES = 4_000_000
"""A programme of the most rules allowed has some 200 kB; more is another file by mistake."""

MAX_SHOWN = 80
"""Characters of what came, in a problem."""

Document = TypeVar("Document", bound=BaseModel)


class Unreadable(ValueError):
    """A file or document that cannot be used; `problems` says what was expected where, one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


def read_programme(name: str) -> Programme:
    """The programme in the TOML or JSON file `name`, with the logo beside it; or the sample of that name.

    Raises:
        Unreadable: there is no such file or sample.
        ProgrammeError: it is no programme; each problem names its path and the fix.
    """
    if name in SAMPLES and not Path(name).exists():
        return Programme.from_toml(sample(name))
    text = read_text(name, f" or one of the samples {', '.join(SAMPLES)}")
    read = Programme.from_json(text) if text.lstrip().startswith("{") else Programme.from_toml(text)
    return with_logo(read, Path(name).parent)


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
        problems = error.errors(include_url=False, include_context=False)
        raise Unreadable([f"{name}: {_problem(model, problem)}" for problem in problems]) from error


def _problem(model: type[BaseModel], detail: ErrorDetails) -> str:
    """One problem as "path: what was expected, what came"; for an unknown name the nearest known one, or all."""
    where = ".".join(str(part) for part in detail["loc"])
    got = f", got {detail['input']!r}"[:MAX_SHOWN]
    match detail["type"]:
        case "json_invalid":
            return f"not valid JSON: {detail['msg'].removeprefix('Invalid JSON: ')}"
        case "missing":
            return f"{where}: expected, but not there: add it"
        case "extra_forbidden" if len(detail["loc"]) == 1:
            known = sorted(model.model_fields)
            near = difflib.get_close_matches(where, known, n=1)
            return f"{where}: unknown; " + (f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}")
        case "extra_forbidden":
            return f"{where}: unknown: take it out, or look up its name"
        case "int_type" | "int_from_float":
            return f"{where}: expected a whole number (cents, points, thousandths){got}"
        case _:
            return f"{where or 'document'}: {detail['msg'].removeprefix('Value error, ')}{got}"


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
