"""What a person decides about an entry that head office parked, and what may be decided for which reason."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

MAX_NUMBER = 2**63 - 1
"""Epochs and sequence numbers of a journal fit the databases' 64 bits."""

NO_CARD = "0" * 32
"""The card token on a resolution of an entry that names no card."""


class Action(StrEnum):
    """What is done about a parked entry."""

    LINK = "link"  # its card belongs to this member: link it, and judge the card's parked entries again
    APPROVE = "approve"  # book it as the till stated it
    REVERSE = "reverse"  # book nothing: the entry is done with
    REFER = "refer"  # head office decides
    UNDO = "undo"  # the last of these was wrong: as if it had not been decided


class Resolution(BaseModel):
    """A decision about one parked entry, which is named by its place and the digest of its exact bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    terminal: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
    epoch: Annotated[StrictInt, Field(ge=0, le=MAX_NUMBER)]
    """0 for an entry that contradicts what is booked: it has no place in any epoch."""
    seq: Annotated[StrictInt, Field(ge=1, le=MAX_NUMBER)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Two entries can come under one number, when a till or its disk was copied."""
    action: Action
    account: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")] | None = None
    """For a link: the account that the entry's card belongs to."""
    undoes: Action | None = Field(default=None, exclude_if=lambda value: value is None)
    """For an undo: the decision that is taken back, so that another which came between stands."""

    @model_validator(mode="after")
    def _account_of_a_link(self) -> Resolution:
        if (self.account is not None) != (self.action is Action.LINK):
            raise ValueError(f"expected 'account' on every link and only there, got a {self.action.value}")
        if (self.undoes is not None) != (self.action is Action.UNDO) or self.undoes is Action.UNDO:
            raise ValueError(f"expected the decision that is taken back on every undo, got a {self.action.value}")
        return self


_ALWAYS = frozenset({Action.REVERSE, Action.REFER})
_AS_STATED = _ALWAYS | {Action.APPROVE}

_ACTIONS: Mapping[str, frozenset[Action]] = {
    "unknown_card": _ALWAYS | {Action.LINK},
    "unknown_programme": _AS_STATED,
    "accrual_differs": _AS_STATED,
    "facts_impossible": _AS_STATED,
    "void_unknown": _AS_STATED,
    "void_returned": _AS_STATED,
    "return_unknown": _AS_STATED,
    "return_voided": _AS_STATED,
    "return_refused": _AS_STATED,
    "coupon_used": _AS_STATED,
    "stream_conflict": _AS_STATED | {Action.LINK},
    "server_fault": _AS_STATED | {Action.LINK},
}
"""By the code of the reason. What cannot be read, or is booked already, can never be booked as stated."""


def actions_for(code: str) -> frozenset[Action]:
    """What may be done about an entry parked with `code`; of a code from a later version, what is always right."""
    return _ACTIONS.get(code, _ALWAYS)
