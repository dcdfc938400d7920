"""Counts what was suggested, accepted and withheld, and how long it took. Numbers only.

Neither code nor paths nor anything made from them is ever in here. Knows nothing of where the
numbers are kept.
"""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from lsp_server.speaking.reasons import REASONS, Reason

COUNTERS = (
    "requests",
    "model_answers",
    "model_calls_saved",
    "speculations",
    "shown",
    "accepted",
    "accepted_chars",
    "partially_accepted",
)
MAX_SAMPLES = 1000
"""Latencies kept: the latest, so that the percentiles are of the present engine."""
PERCENTILES = (50, 95, 99)


class Stats:
    """Counters since they were made or reset.

    Attributes:
        counts: by the names in `COUNTERS`.
        withheld: how often nothing was suggested, by reason.
        latencies_ms: the latest `MAX_SAMPLES` times from request to the model's answer.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.withheld: Counter[str] = Counter()
        self.latencies_ms: deque[float] = deque(maxlen=MAX_SAMPLES)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been counted."""
        return not (self.counts or self.withheld or self.latencies_ms)

    @property
    def acceptance_rate(self) -> float:
        """Share of the shown suggestions that were accepted whole or in part, 0 to 1.

        A suggestion accepted word by word counts each word, hence the bound.
        """
        accepted = self.counts["accepted"] + self.counts["partially_accepted"]
        shown = self.counts["shown"]
        return min(accepted / shown, 1.0) if shown else 0.0

    def count(self, name: str, num: int = 1) -> None:
        """Add to a counter of `COUNTERS`.

        Raises:
            KeyError: there is no such counter.
        """
        if name not in COUNTERS:
            raise KeyError(name)
        self.counts[name] += num

    def count_withheld(self, reason: Reason) -> None:
        """Add to the count of a reason."""
        self.withheld[reason] += 1

    def note_latency(self, took_ms: float) -> None:
        """Note how long the model's answer took."""
        self.latencies_ms.append(round(took_ms, 1))

    def percentile_ms(self, percent: int) -> float:
        """Return a percentile of the latencies by nearest rank, 0 when there are none."""
        ordered = sorted(self.latencies_ms)
        if not ordered:
            return 0.0
        rank = -(-percent * len(ordered) // 100)
        return ordered[max(rank, 1) - 1]

    def add(self, other: "Stats") -> None:
        """Add what another process or session has counted. Modifies: self."""
        self.counts += other.counts
        self.withheld += other.withheld
        self.latencies_ms.extend(other.latencies_ms)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "counts": {name: self.counts[name] for name in COUNTERS},
            "withheld": {reason: self.withheld[reason] for reason in REASONS},
            "latencies_ms": list(self.latencies_ms),
        }

    @classmethod
    def from_json(cls, data: object) -> "Stats":
        """Read what `as_json` wrote, leaving out what it would not write."""
        stats = cls()
        if not isinstance(data, Mapping):
            return stats
        _take(data.get("counts"), COUNTERS, stats.counts)
        _take(data.get("withheld"), REASONS, stats.withheld)
        samples = data.get("latencies_ms")
        if isinstance(samples, list):
            stats.latencies_ms.extend(
                float(sample)
                for sample in samples
                if isinstance(sample, int | float) and not isinstance(sample, bool) and sample >= 0
            )
        return stats


def _take(given: object, names: tuple[str, ...], counter: Counter[str]) -> None:
    if not isinstance(given, Mapping):
        return
    for name in names:
        num = given.get(name)
        if isinstance(num, int) and not isinstance(num, bool) and num > 0:
            counter[name] = num
