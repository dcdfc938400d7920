"""Head, draw and next belief of a canvas as one piece of captured GPU work.

Rules, temperature and seed are a request's own, so canvases take it in turn: with 256 positions the
product with the vocabulary's table is limited by arithmetic, and joining canvases gains nothing.
Knows nothing of which tokens are accepted.
"""

from typing import Any, NamedTuple

import torch
from infill_kernels import predict_tokens, soft_embeddings
from torch import Tensor

from infill_engine.canvas import Canvas
from infill_engine.forward.graph import Replayable
from infill_engine.forward.prediction import Prediction
from infill_engine.model.diffusion_gemma import DiffusionGemma


class ReadOff(NamedTuple):
    """What a head says of a canvas, still on the device."""

    numbers: Tensor  # [3, B * C] int64: draw, argmax, bits of the entropy
    belief: Tensor  # [B, C, E]

    def fetch(self, canvas: Canvas) -> Prediction:
        """Wait for it, and bring what concerns positions to the CPU."""
        sampled, argmax, entropy_bits = self.numbers.cpu().view(3, *canvas.current.shape)
        entropy = entropy_bits.to(torch.int32).view(torch.float32)
        entropy = torch.where(canvas.pinned, canvas.entropy, entropy)
        return Prediction(sampled, argmax, entropy, self.belief)


class CapturedHead:
    """For canvases of one shape, of whichever slot."""

    def __init__(self, model: DiffusionGemma, shape: tuple[int, int], pool: Any) -> None:
        """Capture it.

        Args:
            model: on the device it runs on.
            shape: rows B and positions C of the canvas.
            pool: see `Replayable`.
        """
        self._model, self._shape = model, shape
        config, device = model.config, model.device
        num = shape[0] * shape[1]
        # One row a kind of number, so that one copy brings all.
        self._inputs = torch.zeros(num + 3, dtype=torch.int64, device=device)
        self._pinned_ids, self._draw_key, temperature = self._inputs.split([num, 2, 1])
        self._temperature = temperature.view(torch.float32)[:1]
        self._temperature.fill_(1.0)
        self._forbidden = torch.zeros(2, config.vocab_size, dtype=torch.uint8, device=device)
        self._hidden = torch.zeros(num, config.hidden_size, dtype=model.dtype, device=device)
        self._numbers = torch.zeros(3, num, dtype=torch.int64, device=device)
        self._belief = torch.zeros_like(self._hidden)
        with torch.no_grad():
            self._replay = Replayable(self._read_off, device, pool)

    def run(
        self,
        hidden: Tensor,
        canvas: Canvas,
        forbidden: Tensor,
        temperature: float,
        draw_key: tuple[int, int],
    ) -> ReadOff:
        """Read hidden states off; waits for nothing on the device.

        Args:
            hidden: [B, C, E], normed.
            canvas: of this shape, on the CPU; only read.
            forbidden: [2, V] uint8 on the device: 1 where a token may not stand, at canvas
                position 0 and at all others.
            temperature: 0 is greedy.
            draw_key: seed and number of the draw.
        """
        pinned_ids = canvas.current.masked_fill(~canvas.pinned, -1)
        bits = torch.tensor([temperature, 0.0]).view(torch.int64)
        numbers = torch.cat([pinned_ids.flatten(), torch.tensor(draw_key), bits])
        self._inputs.copy_(numbers, non_blocking=True)  # else it waits for the decoder
        self._forbidden.copy_(forbidden)
        self._hidden.copy_(hidden.flatten(0, 1))
        with torch.no_grad():
            self._replay()
        return ReadOff(self._numbers.clone(), self._belief.clone().view(*self._shape, -1))

    def _read_off(self) -> None:
        model, table = self._model, self._model.embed_tokens.weight
        predicted = predict_tokens(
            self._hidden,
            table,
            model.config.logit_softcap,
            self._forbidden,
            self._temperature,
            self._draw_key,
            self._shape[1],
            self._pinned_ids,
        )
        self._belief.copy_(
            soft_embeddings(predicted, table, self._temperature, model.embedding_scale)
        )
        self._numbers[0].copy_(predicted.sampled)
        self._numbers[1].copy_(predicted.argmax)
        self._numbers[2].copy_(predicted.entropy.view(torch.int32))
