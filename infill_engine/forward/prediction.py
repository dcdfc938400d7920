"""What the engine asks of a model with a KV cache, however that is run.

Knows nothing of acceptance, of noise or of text.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from infill_engine.canvas import Canvas
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.prompt_tokens import PromptTokens
from infill_engine.random_source import RandomSource
from infill_engine.token_rules import TokenRules


class Prediction(NamedTuple):
    """What one pass over a canvas says of its positions; a pinned one is what it is pinned to."""

    sampled: Tensor  # [B, C] int64 ids drawn at the temperature
    argmax: Tensor  # [B, C] int64
    entropy: Tensor  # [B, C] float32 nats at the temperature; as it was where pinned
    soft_embeddings: Tensor  # [B, C, E] self-conditioning signal, for the next step only


class Wanted(NamedTuple):
    """What a denoising step waits for: the arguments of `Predictor.predict`."""

    canvas: Canvas  # only read
    temperature: float  # 0 is greedy
    random: RandomSource
    rules: TokenRules | None


class Predictor(Protocol):
    """Runs the decoder and the sampler over a canvas."""

    def predict(
        self,
        canvas: Canvas,
        temperature: float,
        random: RandomSource,
        rules: TokenRules | None,
    ) -> Prediction:
        """Read the canvas over the cached prompt and draw a token for every free position.

        Args:
            canvas: only read.
            temperature: 0 is greedy: the most probable token is taken, entropies are those of
                temperature 1.
            random: source of the draw.
            rules: tokens that may not be sampled.
        """
        ...


class Forward(Predictor, Protocol):
    """A model and the cache of its prompt."""

    @property
    def model(self) -> DiffusionGemma:
        """What is run."""
        ...

    @property
    def cache(self) -> PromptTokens:
        """The tokens held; roll back or truncate it between calls."""
        ...

    @property
    def canvas_device(self) -> torch.device:
        """Where canvases must lie."""
        ...

    @property
    def prefill_chunk_tokens(self) -> int:
        """Most tokens of one `prefill`; between two a request may be cancelled."""
        ...

    def prefill(self, token_ids: Sequence[int]) -> Tensor:
        """Append 1 to `prefill_chunk_tokens` tokens to the cache: [T, E] normed hidden states."""
        ...

    def sibling(self) -> "Forward":
        """The same model with an empty cache of its own, made ready as it is needed.

        Raises:
            torch.OutOfMemoryError: the device has no room for another cache.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """How it runs, for status displays."""
        ...
