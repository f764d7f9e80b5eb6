"""Programmes for the tests of the tools: the bakery sample with parts of it replaced."""

from __future__ import annotations

import copy
import tomllib
from typing import Any

from loyalty.programme import Programme
from pos_client.samples import sample

TEXT = {"nl": "naam", "en": "name"}
BAKERY = tomllib.loads(sample("bakery"))


def document(**replaced: Any) -> dict[str, Any]:
    """The bakery's document with whole parts replaced."""
    return {**copy.deepcopy(BAKERY), **replaced}


def programme(**replaced: Any) -> Programme:
    """The programme of `document`."""
    return Programme.from_document(document(**replaced))


def part(kind: str | None, name: str, **more: Any) -> dict[str, Any]:
    """A rule, reward or anything else with an id and a name."""
    return {**({"kind": kind} if kind else {}), "id": name, "name": TEXT, **more}
