"""Steps of several captured forwards of one model, with the decoder's weights read once for all.

Canvases of as many positions share a pass; head and draw follow canvas by canvas, each as it is
alone, since a product with the vocabulary's table has enough rows with one canvas. Knows nothing of
requests, of prompts or of how many canvases are worth it.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor

from infill_engine.forward.captured_step import CapturedStep
from infill_engine.forward.prediction import Prediction, Wanted
from infill_engine.forward.shared_pass import SharedPass
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.static_cache import StaticCache

logger = logging.getLogger(__name__)

_MOST_ROWS = 16
"""Of one pass. Beyond, rows of 256 are limited by arithmetic and no longer by reading weights."""


class CapturedWish:
    """What one request waits for, and where it is done."""

    def __init__(self, cache: StaticCache, step: CapturedStep, wanted: Wanted) -> None:
        self.cache, self.step, self.wanted = cache, step, wanted

    @property
    def num_rows(self) -> int:
        """Rows of its canvas."""
        return len(self.wanted.canvas.current)

    def alone(self) -> Prediction:
        """The whole step, in a pass of its own."""
        canvas, temperature, random, _rules = self.wanted
        return self.step.run(canvas, temperature, random.draw_key())

    def read_off(self, hidden: Tensor) -> None:
        """Begin the step's second half behind a shared first one: [B, C, E] normed."""
        canvas, temperature, random, _rules = self.wanted
        self.step.read_off(hidden, canvas, temperature, random.draw_key())


class CapturedCompany:
    """Shared passes over one model, captured as they are first needed."""

    def __init__(self, model: DiffusionGemma, pool: Any) -> None:
        """Captures nothing yet.

        Args:
            model: on the device it runs on.
            pool: see `Replayable`.
        """
        self._model, self.pool = model, pool
        self._passes: dict[tuple[int, int, int], SharedPass] = {}

    def warm_up(self, layout: StaticCache, num_rows: int, num_positions: int) -> None:
        """Capture the pass that so many rows will share.

        Args:
            layout: a cache like those that rows will have.
            num_rows: at least 2; no more than a pass ever has are made.
            num_positions: of every row.
        """
        self._pass_of(layout, min(num_rows, _MOST_ROWS), num_positions)

    def predict(self, wishes: Sequence[CapturedWish]) -> list[Prediction | Exception]:
        """One answer for each wish, in order: a prediction, or why that one got none."""
        answers: dict[int, Prediction | Exception] = {}
        for group in _groups(wishes):
            in_group = [wishes[idx] for idx in group]
            answers |= zip(group, self._predict_group(in_group), strict=True)
        return [answers[idx] for idx in range(len(wishes))]

    def share(self, wishes: Sequence[CapturedWish]) -> list[Prediction | Exception]:
        """What `predict` says, in a single pass.

        Args:
            wishes: their canvases have as many positions, their caches the same capacity.

        Raises:
            Exception: whatever the pass raises, before anything is drawn.
        """
        num_rows = sum(wish.num_rows for wish in wishes)
        num_positions = wishes[0].wanted.canvas.current.shape[1]
        shared = self._pass_of(wishes[0].cache, num_rows, num_positions)
        hidden = shared.run(
            [wish.wanted.canvas for wish in wishes], [wish.cache for wish in wishes]
        )
        # All of it is begun before the first is waited for.
        failures = [
            _failure_of(lambda wish=wish, part=part: wish.read_off(part))
            for wish, part in zip(wishes, hidden, strict=True)
        ]
        return [
            failure or wish.step.fetch(wish.wanted.canvas)
            for wish, failure in zip(wishes, failures, strict=True)
        ]

    def _predict_group(self, wishes: Sequence[CapturedWish]) -> list[Prediction | Exception]:
        if len(wishes) > 1:
            try:
                return self.share(wishes)
            except Exception as error:  # of whichever canvas; the text may quote what it was about
                logger.warning(
                    "a shared step failed (%s); each is tried alone", type(error).__name__
                )
        return [_attempt(wish.alone) for wish in wishes]

    def _pass_of(self, layout: StaticCache, num_rows: int, num_positions: int) -> SharedPass:
        # Powers of two: few graphs, and an idle row costs less than a pass of its own.
        num_rows = 1 << (num_rows - 1).bit_length()
        key = (num_rows, num_positions, layout.capacity)
        if key not in self._passes:
            self._passes[key] = SharedPass(self._model, layout, num_rows, num_positions, self.pool)
        return self._passes[key]


def _groups(wishes: Sequence[CapturedWish]) -> Iterator[list[int]]:
    """Which wishes share a pass: as many positions, caches laid out alike, not too many rows."""
    alike: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for idx, wish in enumerate(wishes):
        alike[wish.wanted.canvas.current.shape[1], wish.cache.capacity].append(idx)
    for members in alike.values():
        group: list[int] = []
        num_rows = 0
        for idx in members:
            if group and num_rows + wishes[idx].num_rows > _MOST_ROWS:
                yield group
                group, num_rows = [], 0
            group.append(idx)
            num_rows += wishes[idx].num_rows
        yield group


def _attempt(predict: Callable[[], Prediction]) -> Prediction | Exception:
    try:
        return predict()
    except Exception as error:
        return error


def _failure_of(begin: Callable[[], None]) -> Exception | None:
    try:
        begin()
    except Exception as error:
        return error
    return None
