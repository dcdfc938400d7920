"""Many measurements in a few numbers. Knows nothing of what was measured."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Distribution:
    """Middle, tail and bounds of a list of measurements."""

    p50: float
    p95: float
    mean: float
    smallest: float
    largest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Distribution":
        """Summarize `values`, of which there must be one at least."""
        return cls(
            percentile(values, 50),
            percentile(values, 95),
            statistics.fmean(values),
            min(values),
            max(values),
            len(values),
        )

    def to_dict(self, num_digits: int = 2) -> dict[str, Any]:
        """For JSON, rounded."""
        return {
            "p50": round(self.p50, num_digits),
            "p95": round(self.p95, num_digits),
            "mean": round(self.mean, num_digits),
            "min": round(self.smallest, num_digits),
            "max": round(self.largest, num_digits),
            "count": self.count,
        }


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` of `values` lie, interpolated between neighbors."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100.0
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
