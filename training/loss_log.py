"""What a training run says of itself: lines of progress for people, JSON lines for plots.

Knows nothing of models.
"""

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path

from training.evaluate import Quality
from training.objective import Losses

LOSS_LOG = "loss.jsonl"


@dataclass
class Position:
    """Where in the data and in time a run stands."""

    step: int = 0
    epoch: int = 0
    batch_idx: int = 0
    num_tokens: int = 0
    seconds: float = 0.0


@dataclass
class Reporter:
    """Prints progress and appends it to the loss log."""

    folder: Path
    every: int

    def __post_init__(self) -> None:
        """Start averaging."""
        self._began, self._tokens = time.monotonic(), 0
        self._sums, self._count = [0.0, 0.0, 0.0], 0

    def step(self, position: Position, losses: Losses, factor: float, left: float | None) -> None:
        """Count one step; print and log every `every` steps."""
        values = (losses.encoder, losses.full, losses.partial)
        self._sums = [total + value for total, value in zip(self._sums, values, strict=True)]
        self._count += 1
        self._tokens += losses.num_tokens
        if position.step % self.every:
            return
        encoder, full, partial = (total / self._count for total in self._sums)
        rate = self._tokens / max(time.monotonic() - self._began, 1e-9)
        self.log(
            step=position.step,
            encoder=encoder,
            full=full,
            partial=partial,
            factor=factor,
            tokens=position.num_tokens,
            tokens_per_second=rate,
            seconds=position.seconds,
        )
        ending = "" if left is None else f", {left / 60:.1f} min left"
        print(
            f"step {position.step}: encoder {encoder:.3f} full {full:.3f} partial {partial:.3f} "
            f"lr x{factor:.2f} {position.num_tokens / 1e6:.2f} M tokens, {rate:.0f}/s{ending}",
            flush=True,
        )
        self.__post_init__()

    def quality(self, position: Position, quality: Quality) -> None:
        """Print and log an evaluation."""
        print(f"step {position.step}: {quality.line()}", flush=True)
        self.log(step=position.step, seconds=position.seconds, quality=dataclasses.asdict(quality))

    def log(self, **values: object) -> None:
        """Append one JSON object to the loss log."""
        with (self.folder / LOSS_LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(values) + "\n")
