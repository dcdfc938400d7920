"""This project's model as the benchmark drives it: prefill, denoise, commit.

The one place that knows how the engine runs a model. Measures nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.timing import wait
from infill_engine.canvas import Canvas, Noise
from infill_engine.denoising import denoise
from infill_engine.forward import Forward
from infill_engine.forward.choice import choose_forward
from infill_engine.generation_config import GenerationConfig
from infill_engine.kv_cache import KVCache
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.random_source import SeededRandom

NEVER_SURE = 1e-30  # nats of a mean entropy that no canvas of random weights falls below


class OwnModel:
    """One model with one cached prompt. Not safe for several threads."""

    def __init__(self, model: DiffusionGemma, seed: int, capacity_tokens: int) -> None:
        """Run a model as the engine would: captured with kernels, if these serve, else eagerly.

        Args:
            model: on the device it runs on.
            seed: of noise and draws.
            capacity_tokens: the longest prompt.
        """
        self._model = model
        # Shapes are captured when first asked for: the first turn, which is not counted.
        self._forward: Forward = choose_forward(model, capacity_tokens, (), lambda _text, _s: None)
        self._random = SeededRandom(seed, model.config.vocab_size, self._forward.canvas_device)

    def describe(self) -> dict[str, Any]:
        """How it runs."""
        return self._forward.describe()

    @property
    def num_tokens(self) -> int:
        """Tokens of the cached prompt."""
        return self._forward.cache.num_tokens

    def prefill(self, token_ids: Sequence[int]) -> None:
        """Append tokens to the cached prompt, and wait until that is done."""
        chunk = self._forward.prefill_chunk_tokens
        with torch.no_grad():
            for begin in range(0, len(token_ids), chunk):
                self._forward.prefill(token_ids[begin : begin + chunk])
        wait(self._model.device)

    def truncate(self, num_tokens: int) -> None:
        """Forget the prompt's tokens from `num_tokens` on."""
        self._forward.cache.truncate(num_tokens)

    def denoise_canvas(self, num_canvas: int, num_steps: int, batch: int = 1) -> Iterator[Tensor]:
        """Denoise fresh noise behind the cached prompt, in exactly `num_steps` steps.

        Yields:
            [B, C] int64 most probable ids after every step, on the CPU, as an editor is shown.
        """
        schedule = GenerationConfig(
            max_denoising_steps=num_steps, confidence_threshold=NEVER_SURE, eos_token_ids=()
        )
        device, noise = self._forward.canvas_device, Noise()
        canvas = Canvas.noise(batch, num_canvas, noise, self._random, device)
        with torch.no_grad():
            for _ in denoise(self._forward, canvas, schedule, noise, self._random):
                yield canvas.argmax.cpu()

    def logits(self, token_ids: Sequence[int], canvas_ids: Tensor) -> Tensor:
        """[B, C, V] float32 of a canvas behind a prompt, with a cache of its own; for comparisons.

        Args:
            token_ids: the prompt.
            canvas_ids: [B, C] int64 on the model's device.
        """
        model = self._model
        cache = KVCache(model.config, model.dtype, model.device)
        cache.expect(token_ids, canvas_ids.shape[1])
        with torch.no_grad():
            model.prefill(torch.tensor([list(token_ids)], device=model.device), cache)
            return model.logits(model.denoise(canvas_ids, cache))
