"""How long to wait for the next key before asking: what the typing rhythm leaves to the latency.

An answer should appear when the user would have gone on typing but has not. Someone who types a key
every 150 ms, before an engine that takes 100 ms, is waited for 50 ms; a slower engine is asked at
once. Knows nothing of requests or documents; time is what the caller's clock says.
"""

from collections import deque
from statistics import median

MAX_WAIT_MS = 400.0
"""However slowly somebody types: longer than this feels like a broken server."""
PAUSE_MS = 1000.0
"""A longer interval is no rhythm but a pause: it is not counted."""
FIRST_INTERVAL_MS = 180.0
"""Taken for the rhythm before it is known: about 65 words a minute."""
_NEW_SHARE = 0.2
_MARGIN = 1.3
"""Times the mean interval: intervals scatter, and the mean alone is too early half the time."""
_NUM_LATENCIES = 33


class Cadence:
    """The rhythm of one user and the latency of one engine, as lately seen."""

    def __init__(self) -> None:
        self._interval_ms = FIRST_INTERVAL_MS
        self._last_key_ms: float | None = None
        self._latencies_ms: deque[float] = deque(maxlen=_NUM_LATENCIES)

    @property
    def interval_ms(self) -> float:
        """Exponential average of the time between keys, pauses left out."""
        return self._interval_ms

    @property
    def latency_ms(self) -> float:
        """Median of the latest latencies of the engine; 0 before the first."""
        return median(self._latencies_ms) if self._latencies_ms else 0.0

    def on_key(self, now_ms: float) -> None:
        """Note that something was typed or deleted. Modifies: interval_ms."""
        last_ms, self._last_key_ms = self._last_key_ms, now_ms
        if last_ms is None:
            return
        since_ms = now_ms - last_ms
        if 0 <= since_ms <= PAUSE_MS:
            self._interval_ms += _NEW_SHARE * (since_ms - self._interval_ms)

    def on_latency(self, took_ms: float) -> None:
        """Note how long the engine took to answer. Modifies: latency_ms."""
        self._latencies_ms.append(max(took_ms, 0.0))

    def wait_ms(self, now_ms: float, is_invoked: bool) -> float:
        """Return how long to wait before asking, 0 to `MAX_WAIT_MS`.

        Args:
            now_ms: the present time. What has passed since the last key is waited already: some
                editors wait themselves before they ask.
            is_invoked: whether the user asked by hand, who never waits.
        """
        if is_invoked or self._last_key_ms is None:
            return 0.0
        since_key_ms = max(now_ms - self._last_key_ms, 0.0)
        wanted_ms = _MARGIN * self._interval_ms - self.latency_ms
        return min(max(wanted_ms - since_key_ms, 0.0), MAX_WAIT_MS)
