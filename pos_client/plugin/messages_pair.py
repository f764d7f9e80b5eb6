"""What the calls about pairing take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from pos_client.config import Origin
from pos_client.plugin.messages import Answer, Asked
from pos_client.tokens import Scope


class Pair(Asked):
    """POST /v1/pair: first a name and scopes, then the code."""

    name: Annotated[str, Field(pattern=r"^[^\W_](?:[\w .&+'()-]{0,38}[\w.)])?$")] | None = None
    """What the cashier reads: letters, digits and a few signs, at most 40."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=len(Scope))] = (Scope.READ, Scope.SELL)
    origin: Origin | None = None
    """For a page: its origin, when a program pairs for it. A page that asks itself is known by its Origin."""
    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")] | None = None
    """As the cashier's screen shows it."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Pair:
        if (self.name is None) == (self.code is None):
            raise ValueError("expected a name to ask for a code, or the code that the cashier's screen shows")
        return self


class TokenAnswer(Answer):
    """A program that was paired. `origin` is the one page that may use its token, null for a program."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    origin: str | None
    made_at: AwareDatetime
    revoked_at: AwareDatetime | None


class PairAnswer(Answer):
    """Shown: the code is on the screen for `expires_s` seconds. Paired: `token` is what `of` says, told this once."""

    state: Literal["shown", "paired"]
    expires_s: int | None = None
    token: str | None = None
    of: TokenAnswer | None = None


class TokensAnswer(Answer):
    """GET /v1/tokens, oldest first."""

    tokens: tuple[TokenAnswer, ...]


class HelloAnswer(Answer):
    """GET /v1/hello."""

    product: Literal["spaarpunt"] = "spaarpunt"
    api: Literal["v1"] = "v1"
    software: str
    till: str
    store: str
