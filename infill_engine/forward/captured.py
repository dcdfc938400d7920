"""Runs the model as captured GPU work: two launches for a denoising step, one for a short prefill.

A step is everything that grows with the model or the vocabulary: embedding, self-conditioning,
decoder, head, draw and next soft embedding. What it says of each position comes back in one copy,
the only wait of a step; acceptance and all that follows happen on the CPU, where canvases live.
Knows nothing of acceptance, of noise or of text.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from infill_engine.canvas import Canvas
from infill_engine.forward.captured_graphs import CapturedGraphs, CapturedWish
from infill_engine.forward.prediction import Prediction, Wanted
from infill_engine.forward.row_caches import RowCaches
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.random_source import RandomSource
from infill_engine.static_cache import StaticCache
from infill_engine.token_rules import TokenRules

CanvasShape = tuple[int, int]
"""Rows and positions of a canvas."""

_PREFILL_BUCKETS = (8, 64, 256)
"""Prompt tokens a captured prefill takes, padded; more go in one uncaptured pass.

8 is a keystroke or two, 64 a pasted line or a judged draft, 256 a committed canvas. Beyond,
launches hide behind the work, and padding would cost."""


class CapturedForward:
    """A slot: a cache at fixed addresses, run by the graphs that all slots of a model share."""

    prefill_chunk_tokens = 2048  # every pass reads all experts: as few as cancellation allows

    def __init__(
        self,
        model: DiffusionGemma,
        capacity_tokens: int,
        cache_dtype: torch.dtype | None = None,
        graphs: CapturedGraphs | None = None,
    ) -> None:
        """Reserve the cache; captures nothing yet.

        Args:
            model: on the device it runs on.
            capacity_tokens: prompt tokens to have room for from the start.
            cache_dtype: of keys and values; None takes the model's.
            graphs: those of this model; None begins with none.
        """
        self._model, self._capacity_tokens, self._cache_dtype = model, capacity_tokens, cache_dtype
        device = model.device
        self._cache = StaticCache(model.config, cache_dtype or model.dtype, device, capacity_tokens)
        # 1 where a token may not stand: at canvas position 0, and at all others.
        self._forbidden = torch.zeros(2, model.config.vocab_size, dtype=torch.uint8, device=device)
        self._rules: TokenRules | None = None
        self.graphs = graphs or CapturedGraphs(model)
        """What this and its siblings run, together or one by one."""

    @property
    def model(self) -> DiffusionGemma:
        """What is run."""
        return self._model

    @property
    def cache(self) -> StaticCache:
        """The prompt held."""
        return self._cache

    @property
    def canvas_device(self) -> torch.device:
        """The CPU: what is decided for each position is too little work for a GPU."""
        return torch.device("cpu")

    def warm_up(
        self,
        shapes: Sequence[CanvasShape],
        progress: Callable[[str, float], None],
        num_together: int = 1,
    ) -> None:
        """Capture what requests will need; the first start on a machine also compiles kernels.

        Args:
            shapes: of canvases.
            progress: called with what is being done and the share done, 0 to 1.
            num_together: rows of the shapes' lengths to be ready for in one pass.
        """
        graphs, cache = self.graphs, self._cache
        numbers = [1 << bits for bits in range(1, (num_together - 1).bit_length() + 1)]
        lengths = {num_positions for _, num_positions in shapes}
        decoders = {*shapes, *((number, length) for number in numbers for length in lengths)}
        work: list[Callable[[], object]] = [
            *(lambda n=n: graphs.prefill(cache, n) for n in _PREFILL_BUCKETS),
            *(lambda s=s: graphs.decoder(cache, *s) for s in sorted(decoders)),
            *(lambda s=s: graphs.head(*s) for s in shapes),
        ]
        for done, capture in enumerate(work):
            progress("preparing kernels", done / len(work))
            capture()
        progress("preparing kernels", 1.0)

    def prefill(self, token_ids: Sequence[int]) -> Tensor:
        """See `Forward`; the result is overwritten by the next call."""
        self._cache.expect(token_ids, 0)
        bucket = next((n for n in _PREFILL_BUCKETS if len(token_ids) <= n), None)
        if bucket is None:
            device = self._model.device
            ids = torch.tensor([token_ids], device=device)
            caches = RowCaches.of_one(self._cache, len(token_ids), device)
            hidden = self._model.encode(ids, caches)[0]
        else:
            hidden = self.graphs.prefill(self._cache, bucket).run(token_ids, self._cache)
        self._cache.commit(len(token_ids))
        return hidden

    def predict(
        self,
        canvas: Canvas,
        temperature: float,
        random: RandomSource,
        rules: TokenRules | None,
    ) -> Prediction:
        """See `Predictor`. The draw is made on the device, from a seed and a count."""
        return self.graphs.predict_one(self.wish(Wanted(canvas, temperature, random, rules)))

    def wish(self, wanted: Wanted) -> CapturedWish:
        """What `predict` would do, for `graphs` to do it; holds until the next call."""
        if wanted.rules is not self._rules:
            rules = wanted.rules or TokenRules()
            self._forbidden.copy_(rules.forbidden(self._model.config.vocab_size))
            self._rules = wanted.rules
        return CapturedWish(self._cache, self._forbidden, wanted)

    def sibling(self) -> "CapturedForward":
        """See `Forward`; nothing is captured for it that is there already."""
        return CapturedForward(self._model, self._capacity_tokens, self._cache_dtype, self.graphs)

    def describe(self) -> dict[str, Any]:
        """How it runs, for status displays."""
        return {
            "num_cache_bytes": self._cache.num_bytes,
            "cache_dtype": str(self._cache.dtype).removeprefix("torch."),
            "kernels": "triton",
        }
