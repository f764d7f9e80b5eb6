"""What a benchmark found: our figure beside its peers' and beside what is possible at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Result:
    """One figure of one benchmark.

    `peers` are the same thing done by others, measured in the same run; `floor` is the best that could be, in the same
    unit. A ratio says how many times the other's figure ours is: for "lower" 0.5 is twice as good, for "higher" 2 is.
    """

    bench: str
    ours: float
    unit: str
    better: Literal["higher", "lower"]
    peers: dict[str, float] = field(default_factory=dict)
    floor: float | None = None

    @property
    def ratio_to_best_peer(self) -> float | None:
        """Ours divided by the best peer's figure; None without peers."""
        if not self.peers:
            return None
        best = max(self.peers.values()) if self.better == "higher" else min(self.peers.values())
        return self.ours / best

    @property
    def ratio_to_floor(self) -> float | None:
        """Ours divided by the floor; None without one."""
        return None if self.floor is None else self.ours / self.floor

    def to_json(self) -> dict[str, Any]:
        """One JSON-ready object; figures rounded to what a clock can tell."""
        return {
            "bench": self.bench,
            "ours": round(self.ours, 3),
            "unit": self.unit,
            "better": self.better,
            "peers": {name: round(value, 3) for name, value in self.peers.items()},
            "floor": None if self.floor is None else round(self.floor, 3),
            "ratio_to_best_peer": _rounded(self.ratio_to_best_peer),
            "ratio_to_floor": _rounded(self.ratio_to_floor),
        }


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 3)
