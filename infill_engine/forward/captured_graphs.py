"""A model's captured pieces of work, and steps put together from them for one request or several.

No piece belongs to a slot: each is told at every replay which cache it works on. Canvases of as
many positions share a pass of the decoder; heads follow canvas by canvas. Knows nothing of
requests, of prompts or of how many canvases are worth it.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from infill_engine.forward.captured_decoder import CapturedDecoder
from infill_engine.forward.captured_head import CapturedHead, ReadOff
from infill_engine.forward.captured_prefill import CapturedPrefill
from infill_engine.forward.prediction import Prediction, Wanted
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.static_cache import StaticCache

logger = logging.getLogger(__name__)

_MOST_ROWS = 16
"""Of a shared pass. Beyond, rows of 256 are limited by arithmetic, no longer by reading weights."""


class CapturedWish(NamedTuple):
    """What a request waits for, and over what."""

    cache: StaticCache
    forbidden: Tensor  # [2, V] uint8 on the device, see `CapturedHead.run`
    wanted: Wanted

    @property
    def num_rows(self) -> int:
        """Rows of its canvas."""
        return len(self.wanted.canvas.current)

    @property
    def num_positions(self) -> int:
        """Positions of each."""
        return self.wanted.canvas.current.shape[1]


class CapturedGraphs:
    """What has been captured of one model so far; the rest is when it is first needed."""

    def __init__(self, model: DiffusionGemma) -> None:
        """Captures nothing yet."""
        self._model = model
        # One pool of memory: pieces never run at once, and logits are large.
        is_cuda = model.device.type == "cuda"
        self._pool = torch.cuda.graph_pool_handle() if is_cuda else None
        self._prefills: dict[tuple[int, int], CapturedPrefill] = {}
        self._decoders: dict[tuple[int, int, int], CapturedDecoder] = {}
        self._heads: dict[tuple[int, int], CapturedHead] = {}

    def prefill(self, layout: StaticCache, num_tokens: int) -> CapturedPrefill:
        """A prefill of up to so many tokens into caches like `layout`."""
        key = (num_tokens, layout.capacity)
        if key not in self._prefills:
            self._prefills[key] = CapturedPrefill(self._model, layout, num_tokens, self._pool)
        return self._prefills[key]

    def decoder(self, layout: StaticCache, num_rows: int, num_positions: int) -> CapturedDecoder:
        """A decoder pass of up to so many rows over caches like `layout`."""
        key = (num_rows, num_positions, layout.capacity)
        if key not in self._decoders:
            self._decoders[key] = CapturedDecoder(
                self._model, layout, num_rows, num_positions, self._pool
            )
        return self._decoders[key]

    def head(self, num_rows: int, num_positions: int) -> CapturedHead:
        """The head of canvases of that shape."""
        key = (num_rows, num_positions)
        if key not in self._heads:
            self._heads[key] = CapturedHead(self._model, key, self._pool)
        return self._heads[key]

    def predict(self, wishes: Sequence[CapturedWish]) -> list[Prediction | Exception]:
        """One answer for each wish, in order: a prediction, or why that one got none."""
        answers: dict[int, Prediction | Exception] = {}
        for group in _groups(wishes):
            in_group = [wishes[idx] for idx in group]
            answers |= zip(group, self._predict_group(in_group), strict=True)
        return [answers[idx] for idx in range(len(wishes))]

    def predict_one(self, wish: CapturedWish) -> Prediction:
        """The step of a single request."""
        (answer,) = self.share([wish])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def share(self, wishes: Sequence[CapturedWish]) -> list[Prediction | Exception]:
        """What `predict` says, in a single pass.

        Args:
            wishes: their canvases have as many positions, their caches the same capacity.

        Raises:
            Exception: whatever the pass raises, before anything is drawn.
        """
        num_rows = sum(wish.num_rows for wish in wishes)
        if len(wishes) > 1:
            # Powers of two: few graphs, and an idle row costs less than a pass of its own.
            num_rows = 1 << (num_rows - 1).bit_length()
        decoder = self.decoder(wishes[0].cache, num_rows, wishes[0].num_positions)
        hidden = decoder.run(
            [wish.wanted.canvas for wish in wishes], [wish.cache for wish in wishes]
        )
        # All of it is begun before the first is waited for.
        begun = [self._read_off(*pair) for pair in zip(wishes, hidden, strict=True)]
        return [
            one if isinstance(one, Exception) else one.fetch(wish.wanted.canvas)
            for wish, one in zip(wishes, begun, strict=True)
        ]

    def _read_off(self, wish: CapturedWish, hidden: Tensor) -> ReadOff | Exception:
        canvas, temperature, random, _rules = wish.wanted
        try:
            head = self.head(wish.num_rows, wish.num_positions)
            return head.run(hidden, canvas, wish.forbidden, temperature, random.draw_key())
        except Exception as error:
            return error

    def _predict_group(self, wishes: Sequence[CapturedWish]) -> list[Prediction | Exception]:
        if len(wishes) > 1:
            try:
                return self.share(wishes)
            except Exception as error:  # of whichever canvas; the text may quote what it was about
                logger.warning(
                    "a shared step failed (%s); each is tried alone", type(error).__name__
                )
        answers: list[Prediction | Exception] = []
        for wish in wishes:
            try:
                answers.append(self.predict_one(wish))
            except Exception as error:
                answers.append(error)
        return answers


def _groups(wishes: Sequence[CapturedWish]) -> Iterator[list[int]]:
    """Which wishes share a pass: as many positions, caches laid out alike, not too many rows."""
    alike: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for idx, wish in enumerate(wishes):
        alike[wish.num_positions, wish.cache.capacity].append(idx)
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
