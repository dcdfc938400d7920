"""Runs the model operation by operation: the way on a CPU, and wherever kernels do not serve.

Knows nothing of acceptance, of noise or of text.
"""

from collections.abc import Sequence
from typing import Any

import torch
from infill_kernels import token_statistics
from torch import Tensor

from infill_engine.canvas import Canvas
from infill_engine.forward.prediction import Prediction, Wanted
from infill_engine.kv_cache import KVCache
from infill_engine.model.diffusion_gemma import DiffusionGemma, PromptCache
from infill_engine.random_source import RandomSource
from infill_engine.token_rules import TokenRules


class EagerPredictor:
    """Decoder, head and sampler over any prompt cache."""

    def __init__(self, model: DiffusionGemma, cache: PromptCache) -> None:
        self._model, self._cache = model, cache

    def predict(
        self,
        canvas: Canvas,
        temperature: float,
        random: RandomSource,
        rules: TokenRules | None,
    ) -> Prediction:
        """See `Predictor`."""
        hidden = self._model.denoise(canvas.current, self._cache, self.signal(canvas))
        return self.read_off(hidden, Wanted(canvas, temperature, random, rules))

    def read_off(self, hidden: Tensor, wanted: Wanted) -> Prediction:
        """The second half of `predict`: head and draw over [B, C, E] normed hidden states.

        Only free positions go through the head: a pinned one is known.
        """
        canvas, temperature, random, rules = wanted
        model, free = self._model, ~canvas.pinned
        logits = model.logits(hidden[free])
        if rules is not None:
            rules.apply(logits, free.nonzero()[:, 1])
        is_greedy = temperature == 0.0
        statistics = token_statistics(logits if is_greedy else logits / temperature)
        drawn = statistics.argmax if is_greedy else random.sample(statistics.probabilities)
        believed = model.soft_embed(statistics.probabilities)
        soft_embeddings = believed.new_zeros(*free.shape, believed.shape[-1])
        soft_embeddings[free] = believed
        return Prediction(
            canvas.current.masked_scatter(free, drawn),
            canvas.current.masked_scatter(free, statistics.argmax),
            canvas.entropy.masked_scatter(free, statistics.entropy),
            soft_embeddings,
        )

    def signal(self, canvas: Canvas) -> Tensor | None:
        """[B, C, E]: what the last step believed, and certainty where a position is pinned.

        None on a canvas' first step, which knows nothing.
        """
        if not bool(canvas.pinned.any()):
            return canvas.soft_embeddings
        known = self._model.embed(canvas.current)
        believed = canvas.soft_embeddings
        if believed is None:
            believed = torch.zeros_like(known)
        return torch.where(canvas.pinned[..., None], known, believed)


class EagerForward(EagerPredictor):
    """The model with the cache that the engine keeps from request to request."""

    prefill_chunk_tokens = 256

    def __init__(self, model: DiffusionGemma) -> None:
        self._model = model
        self._kv_cache = KVCache(model.config, model.dtype, model.device)
        super().__init__(model, self._kv_cache)

    @property
    def model(self) -> DiffusionGemma:
        """What is run."""
        return self._model

    @property
    def cache(self) -> KVCache:
        """The prompt held."""
        return self._kv_cache

    @property
    def canvas_device(self) -> torch.device:
        """Beside the weights."""
        return self._model.device

    def prefill(self, token_ids: Sequence[int]) -> Tensor:
        """See `Forward`."""
        self._kv_cache.expect(token_ids, self._model.config.canvas_length)
        ids = torch.tensor([token_ids], device=self._model.device)
        return self._model.prefill(ids, self._kv_cache)[0]

    def sibling(self) -> "EagerForward":
        """See `Forward`."""
        return EagerForward(self._model)

    def describe(self) -> dict[str, Any]:
        """How it runs, for status displays."""
        return {"num_cache_bytes": self._kv_cache.num_bytes, "kernels": "reference"}
