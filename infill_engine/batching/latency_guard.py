"""How many requests are worth running together, from what steps of so many have cost.

Company is worth it while each further row makes a canvas position cheaper; where it does not, a
request that waits for its turn gets its answer no later, and the others get theirs sooner. Pure
arithmetic: knows nothing of models, of time or of who asks.
"""

_WEIGHT = 0.2
"""Of the newest step in a mean: about the last ten steps count."""
_LEAST_GAIN = 0.03
"""Share by which a further row must make a position cheaper: less is noise, and lost to waiting."""
_ASKINGS_UNTIL_RETRIED = 100
"""Refusals after which a number of rows is tried again: its cost was measured on another day."""


class LatencyGuard:
    """Admits rows while they pay; a number of rows that was never tried counts as paying."""

    def __init__(self, max_rows: int) -> None:
        """Start without any measurement.

        Args:
            max_rows: never admit more, at least 1.
        """
        self._max_rows = max_rows
        self._ms_per_position: dict[int, float] = {}
        self._num_refused: dict[int, int] = {}

    def observe(self, num_rows: int, num_positions: int, step_ms: float) -> None:
        """Learn from a denoising step.

        Args:
            num_rows: requests that took part, at least 1.
            num_positions: canvas positions of all of them, at least 1.
            step_ms: how long it took, in milliseconds.
        """
        newest = step_ms / num_positions
        mean = self._ms_per_position.get(num_rows, newest)
        self._ms_per_position[num_rows] = mean + _WEIGHT * (newest - mean)

    def predicted_ms(self, num_rows: int, num_positions: int) -> float | None:
        """How long such a step is likely to take, in milliseconds; None if never tried."""
        cost = self._ms_per_position.get(num_rows)
        return None if cost is None else cost * num_positions

    def admits(self, num_rows: int) -> bool:
        """Whether one more request may join `num_rows` that run; always when none does."""
        if num_rows == 0:
            return True
        wanted = num_rows + 1
        if wanted > self._max_rows:
            return False
        now, then = self._ms_per_position.get(num_rows), self._ms_per_position.get(wanted)
        if now is None or then is None or then <= now * (1 - _LEAST_GAIN):
            return True
        self._num_refused[wanted] = self._num_refused.get(wanted, 0) + 1
        if self._num_refused[wanted] <= _ASKINGS_UNTIL_RETRIED:
            return False
        self._num_refused[wanted] = 0
        del self._ms_per_position[wanted]
        return True
