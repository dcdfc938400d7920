"""How many requests are worth running together, from what steps of so many have cost.

Company is worth it while each further row makes a piece of work cheaper; where it does not, a
request that waits for its turn gets its answer no later, and the others get theirs sooner. Pure
arithmetic: knows nothing of models, of time or of who asks.
"""

_WEIGHT = 0.2
"""Of the newest step in a mean: about the last ten steps count."""
_LEAST_GAIN = 0.03
"""Share by which a further row must make work cheaper: less is noise, and lost to waiting."""
_LEAST_STEPS = 5
"""Steps after which a number of rows has a cost to be judged by: one may have met a busy moment."""
_ASKINGS_UNTIL_RETRIED = 100
"""Refusals after which a number of rows is tried again: its cost was measured on another day."""


class LatencyGuard:
    """Admits rows while they pay; a number of rows that was hardly tried counts as paying."""

    def __init__(self, max_rows: int) -> None:
        """Start without any measurement.

        Args:
            max_rows: never admit more, at least 1.
        """
        self._max_rows = max_rows
        self._ms_per_piece: dict[int, float] = {}
        self._num_steps: dict[int, int] = {}
        self._num_refused: dict[int, int] = {}

    def observe(self, num_rows: int, num_pieces: int, step_ms: float) -> None:
        """Learn from a denoising step.

        Args:
            num_rows: requests that took part, at least 1.
            num_pieces: pieces of work, such as canvas positions, of all of them; at least 1.
            step_ms: how long it took, in milliseconds.
        """
        newest = step_ms / num_pieces
        mean = self._ms_per_piece.get(num_rows, newest)
        self._ms_per_piece[num_rows] = mean + _WEIGHT * (newest - mean)
        self._num_steps[num_rows] = self._num_steps.get(num_rows, 0) + 1

    def admits(self, num_rows: int) -> bool:
        """Whether one more request may join `num_rows` that run; always when none does."""
        if num_rows == 0:
            return True
        wanted = num_rows + 1
        if wanted > self._max_rows:
            return False
        if min(self._num_steps.get(num_rows, 0), self._num_steps.get(wanted, 0)) < _LEAST_STEPS:
            return True
        if self._ms_per_piece[wanted] <= self._ms_per_piece[num_rows] * (1 - _LEAST_GAIN):
            return True
        self._num_refused[wanted] = self._num_refused.get(wanted, 0) + 1
        if self._num_refused[wanted] <= _ASKINGS_UNTIL_RETRIED:
            return False
        self._num_refused[wanted] = self._num_steps[wanted] = 0
        return True
