"""How the learning rate moves over a run, and when a run ends: warm up, hold, decay to zero.

Measured in steps or in time. A run by time can be told to decay earlier, through a file, so that
it always ends with cooled-down weights. Knows nothing of optimizers.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

_WARMUP_STEPS = 20
_DECAY_SHARE = 0.25
_DEFAULT_DECAY_MINUTES = 10.0


@dataclass
class Schedule:
    """Warm-up, hold and linear decay over the last quarter.

    Attributes:
        num_steps: length of a run in steps; None when it is measured in time.
        num_seconds: length of a run in seconds; None when it is measured in steps.
        trigger: a file whose appearing starts the decay; it may hold the decay's minutes.
        decay_share: share of the run that decays.
    """

    num_steps: int | None
    num_seconds: float | None
    trigger: Path | None = None
    decay_share: float = _DECAY_SHARE
    warmup_steps: int = _WARMUP_STEPS

    def __post_init__(self) -> None:
        """Start the clock."""
        self._began = time.monotonic()
        self._decay: tuple[float, float] | None = None  # seconds: begin, length
        if self.num_seconds is not None:
            length = self.num_seconds * self.decay_share
            self._decay = (self.num_seconds - length, length)

    def factor(self, step: int) -> float:
        """What the peak learning rate is multiplied with at `step` (from 0); 0 ends the run."""
        warmup = min(1.0, (step + 1) / self.warmup_steps)
        return warmup * self._cooling(step)

    def remaining(self) -> float | None:
        """Seconds to the end of a run measured in time."""
        if self._decay is None:
            return None
        return max(0.0, sum(self._decay) - (time.monotonic() - self._began))

    def _cooling(self, step: int) -> float:
        if self.num_steps is not None:
            length = max(1.0, self.num_steps * self.decay_share)
            return min(1.0, max(0.0, (self.num_steps - step) / length))
        elapsed = time.monotonic() - self._began
        self._read_trigger(elapsed)
        if self._decay is None:
            return 1.0
        begin, length = self._decay
        return min(1.0, max(0.0, (begin + length - elapsed) / max(length, 1e-9)))

    def _read_trigger(self, elapsed: float) -> None:
        if self.trigger is None or not self.trigger.is_file():
            return
        text = self.trigger.read_text(encoding="utf-8").strip()
        self.trigger.unlink()
        if self._decay is not None and elapsed >= self._decay[0]:
            return  # it decays already
        minutes = float(text) if text else _DEFAULT_DECAY_MINUTES
        self._decay = (elapsed, minutes * 60.0)


def seconds_until(clock: str) -> float:
    """Seconds from now until the next "HH:MM" of the local clock.

    Raises:
        ValueError: `clock` is not of this form.
    """
    now = datetime.now()
    hour, minute = (int(part) for part in clock.split(":"))
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if then <= now:
        then += timedelta(days=1)
    return (then - now).total_seconds()
