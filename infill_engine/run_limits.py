"""When a running request must stop before it is done, and how long its parts took."""

import time
from typing import Literal

from infill_engine.api import CancelToken


class RunLimits:
    """Deadline and cancellation of one request, and its stopwatch."""

    def __init__(self, deadline_ms: int | None, cancel: CancelToken | None) -> None:
        self._begin = time.perf_counter()
        self._deadline_ms, self._cancel = deadline_ms, cancel
        self._laps_ms: dict[str, float] = {}

    def stop_reason(self) -> Literal["cancelled", "deadline"] | None:
        """Why to stop now, or None to go on; asked between denoising steps."""
        if self._cancel is not None and self._cancel.is_cancelled:
            return "cancelled"
        if self._deadline_ms is not None and self.elapsed_ms() >= self._deadline_ms:
            return "deadline"
        return None

    def elapsed_ms(self) -> float:
        """Milliseconds since the request came."""
        return (time.perf_counter() - self._begin) * 1000.0

    def add_ms(self, lap: str, duration_ms: float) -> None:
        """Count time spent on one part of the work."""
        self._laps_ms[lap] = self._laps_ms.get(lap, 0.0) + duration_ms

    def timings_ms(self) -> dict[str, float]:
        """Milliseconds by part, and in all; what is left over is "denoise"."""
        total = self.elapsed_ms()
        denoise = total - sum(self._laps_ms.values())
        laps = {**self._laps_ms, "denoise": denoise, "total": total}
        return {lap: round(duration, 3) for lap, duration in laps.items()}
