"""A denoising step for canvases of one shape as one piece of captured GPU work.

In: tokens, pins, temperature and the key of the draw, in one small copy. Out: draw, argmax and
entropy of every position, in another. The belief for the next step stays on the device. Knows
nothing of which tokens are accepted.
"""

from typing import Any

import torch
from infill_kernels import predict_tokens, soft_embeddings
from torch import Tensor

from infill_engine.canvas import Canvas
from infill_engine.forward.graph import Replayable
from infill_engine.forward.prediction import Prediction
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.static_cache import StaticCache


class CapturedStep:
    """Embedding, self-conditioning, decoder, head, draw and next soft embedding."""

    def __init__(
        self,
        model: DiffusionGemma,
        cache: StaticCache,
        forbidden: Tensor,
        shape: tuple[int, int],
        pool: Any,
    ) -> None:
        """Capture the step.

        Args:
            model: on the device it runs on.
            cache: the prompt; only read.
            forbidden: [2, V] uint8 on the device, read at every step: 1 where a token may not
                stand, at canvas position 0 and at all others.
            shape: rows B and positions C of the canvas.
            pool: see `Replayable`.
        """
        self._model, self._cache, self._forbidden = model, cache, forbidden
        self._shape = shape
        self._num_positions = num = shape[0] * shape[1]
        device = model.device
        # One row a kind of number, so that one copy brings all.
        self._inputs = torch.zeros(2 * num + 3, dtype=torch.int64, device=device)
        self._token_ids = self._inputs[:num].view(shape)
        self._pinned_ids = self._inputs[num : 2 * num]
        self._draw_key = self._inputs[2 * num : 2 * num + 2]
        self._temperature = self._inputs[2 * num + 2 :].view(torch.float32)[:1]
        self._outputs = torch.zeros(3, num, dtype=torch.int64, device=device)
        self._belief = torch.zeros(
            *shape, model.config.hidden_size, dtype=model.dtype, device=device
        )
        self._temperature.fill_(1.0)
        self._hidden = torch.zeros_like(self._belief)
        self._device, self._pool = device, pool
        self._second_half: Replayable | None = None
        with torch.no_grad():
            self._whole = Replayable(self._step, device, pool)

    def run(self, canvas: Canvas, temperature: float, draw_key: tuple[int, int]) -> Prediction:
        """Predict every position of a canvas on the CPU; waits for the result.

        Args:
            canvas: of this step's shape, only read.
            temperature: 0 is greedy.
            draw_key: seed and number of the draw.
        """
        if canvas.soft_embeddings is None:
            self._belief.zero_()
        elif canvas.soft_embeddings is not self._belief:
            self._belief.copy_(canvas.soft_embeddings)  # one row of a larger canvas' step
        self._inputs.copy_(self._packed(canvas, temperature, draw_key))
        with torch.no_grad():
            self._whole()
        return self.fetch(canvas)

    def read_off(
        self, hidden: Tensor, canvas: Canvas, temperature: float, draw_key: tuple[int, int]
    ) -> None:
        """Begin the second half of `run`, head and draw, behind another's first; waits for nothing.

        Args:
            hidden: [B, C, E] normed hidden states, only read.
            canvas: see `run`, as the next two.
            temperature: 0 is greedy.
            draw_key: seed and number of the draw.
        """
        self._inputs.copy_(self._packed(canvas, temperature, draw_key))
        self._hidden.copy_(hidden)
        with torch.no_grad():
            if self._second_half is None:
                self._second_half = Replayable(self._read_off, self._device, self._pool)
            self._second_half()

    def fetch(self, canvas: Canvas) -> Prediction:
        """What the newest step of `canvas` says; waits for it."""
        sampled, argmax, entropy_bits = self._outputs.to("cpu", copy=True).view(3, *self._shape)
        entropy = entropy_bits.to(torch.int32).view(torch.float32)
        return Prediction(
            sampled,
            argmax,
            torch.where(canvas.pinned, canvas.entropy, entropy),
            self._belief,
        )

    def _packed(self, canvas: Canvas, temperature: float, draw_key: tuple[int, int]) -> Tensor:
        """What `self._inputs` holds, on the CPU."""
        pinned_ids = canvas.current.masked_fill(~canvas.pinned, -1)
        bits = torch.tensor([temperature, 0.0]).view(torch.int64)
        parts = [canvas.current.flatten(), pinned_ids.flatten(), torch.tensor(draw_key), bits]
        return torch.cat(parts)

    def _step(self) -> None:
        model = self._model
        pinned_ids = self._pinned_ids.view(self._shape)
        is_pinned = (pinned_ids >= 0)[..., None]
        signal = torch.where(is_pinned, model.embed(self._token_ids), self._belief)
        self._hidden.copy_(model.denoise(self._token_ids, self._cache, signal))
        self._read_off()

    def _read_off(self) -> None:
        model = self._model
        table = model.embed_tokens.weight
        predicted = predict_tokens(
            self._hidden.flatten(0, 1),
            table,
            model.config.logit_softcap,
            self._forbidden,
            self._temperature,
            self._draw_key,
            self._shape[1],
            self._pinned_ids,
        )
        belief = soft_embeddings(predicted, table, self._temperature, model.embedding_scale)
        self._belief.copy_(belief.view_as(self._belief))
        self._outputs[0].copy_(predicted.sampled)
        self._outputs[1].copy_(predicted.argmax)
        self._outputs[2].copy_(predicted.entropy.view(torch.int32))
