"""How much one user may ask: so many requests a minute, so many streams at once.

Whoever is over a limit is told when to come back; nobody else notices. Belongs to one event loop.
Knows nothing of HTTP or of who the users are.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class LimitExceeded(Exception):
    """A user is over a limit; the message names it.

    Attributes:
        retry_after_s: whole seconds after which asking again may help, at least 1.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = max(1, math.ceil(retry_after_s))


class RateLimiter:
    """A bucket of permits per user, refilled steadily."""

    def __init__(
        self, per_minute: int, burst: int, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Fill all buckets.

        Args:
            per_minute: requests a minute that each user may keep up, at least 1.
            burst: requests that may come at once after a pause, at least 1.
            clock_s: seconds; a monotonic clock, so that setting the time changes nothing.
        """
        self._per_second = per_minute / 60
        self._burst = float(burst)
        self._clock_s = clock_s
        self._buckets: dict[str, tuple[float, float]] = {}
        """User to (permits left, when that was)."""

    def take(self, user: str) -> None:
        """Use one permit of `user`; raises LimitExceeded when none is left."""
        now_s = self._clock_s()
        permits, since_s = self._buckets.get(user, (self._burst, now_s))
        permits = min(self._burst, permits + (now_s - since_s) * self._per_second)
        if permits < 1:
            self._buckets[user] = (permits, now_s)
            raise LimitExceeded(
                f"More than {self._per_second * 60:.0f} requests a minute. Ask less often.",
                (1 - permits) / self._per_second,
            )
        self._buckets[user] = (permits - 1, now_s)


class StreamLimiter:
    """Counts the streams that are open, per user and in all."""

    def __init__(self, max_per_user: int, max_in_all: int) -> None:
        self._max_per_user = max_per_user
        self._max_in_all = max_in_all
        self._open: Counter[str] = Counter()

    @property
    def num_open(self) -> int:
        """Streams open now."""
        return self._open.total()

    def num_open_of(self, user: str) -> int:
        """Streams of one user open now."""
        return self._open[user]

    @contextmanager
    def opened(self, user: str) -> Iterator[None]:
        """Count a stream of `user` as open; raises LimitExceeded when one more is not allowed."""
        if self._open[user] >= self._max_per_user:
            raise LimitExceeded(
                f"{self._open[user]} requests of yours are being answered; at most "
                f"{self._max_per_user} may be at once. Wait for one to end.",
                1.0,
            )
        if self.num_open >= self._max_in_all:
            raise LimitExceeded(
                f"{self.num_open} requests are being answered; at most {self._max_in_all} may be "
                "at once. Ask again in a moment.",
                1.0,
            )
        self._open[user] += 1
        try:
            yield
        finally:
            self._open[user] -= 1
            if not self._open[user]:
                del self._open[user]
