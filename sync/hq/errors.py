"""What can go wrong at head office, by who must do something about it.

HqError            the operator: configuration, database, a wrong file
├── ImportRefused  the operator: rows of a members file, each named by line
└── Refused        the till: answered as a problem with a stable code
"""

from __future__ import annotations


class HqError(Exception):
    """One sentence for the operator: what, where, what to do."""


class ImportRefused(HqError):
    """A members file with wrong rows; nothing of it was imported. `problems` name line and fault, numbers masked."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("nothing was imported: " + "; ".join(problems))


class Refused(HqError):
    """A request that head office does not do. `status` is HTTP's; `code` is stable.

    `wanted_seq` only for a gap; `retry_after_s` when the same request may well be done later.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        wanted_seq: int | None = None,
        *,
        retry_after_s: int | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.wanted_seq = wanted_seq
        self.retry_after_s = retry_after_s
        super().__init__(detail)
