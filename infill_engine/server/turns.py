"""Whose turn it is among users that wait. Knows nothing of what they wait for."""

from collections import OrderedDict
from collections.abc import Sequence

_MAX_REMEMBERED = 10_000
"""Users whose last turn is remembered; one forgotten counts as never served, which is near it."""


class Turns:
    """Least running first, then least recently served, then first come."""

    def __init__(self) -> None:
        self._last_turn: OrderedDict[str, int] = OrderedDict()  # oldest first
        self._num_turns = 0

    def next_of(self, waiting: Sequence[str], running: Sequence[str]) -> str:
        """The user whose turn it is, which counts as taken.

        Args:
            waiting: a user for each request that waits, in the order of their coming; at least one.
            running: a user for each request that runs.
        """
        # `min` takes the first of equals: whoever came first.
        user = min(waiting, key=lambda user: (running.count(user), self._last_turn.get(user, 0)))
        self._num_turns += 1
        self._last_turn[user] = self._num_turns
        self._last_turn.move_to_end(user)
        if len(self._last_turn) > _MAX_REMEMBERED:
            self._last_turn.popitem(last=False)
        return user
