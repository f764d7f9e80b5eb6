"""What a manager orders about a member's card: blocked, let in again, or replaced by another."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Token = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class CardAction(StrEnum):
    """What is done about a card."""

    BLOCK = "block"  # lost or stolen: it neither earns nor spends from here on
    UNBLOCK = "unblock"  # found again
    REPLACE = "replace"  # blocked, and another card is the member's from here on


class CardOrder(BaseModel):
    """An order about the card that its entry names; it stands with an adjustment of no points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: CardAction
    new_card: Token | None = None
    """For a replacement: the token of the card that takes its place."""

    @model_validator(mode="after")
    def _card_of_a_replacement(self) -> CardOrder:
        if (self.new_card is not None) != (self.action is CardAction.REPLACE):
            raise ValueError(f"expected 'new_card' on every replacement and only there, got a {self.action.value}")
        return self
