"""Which leading canvas positions will not change any more, so that an editor may show them.

A position settles once its argmax has stayed and been certain for a few steps, and all positions
before it have settled. Settled positions are pinned, which makes the promise true.
"""

import torch

from infill_engine.canvas import Canvas


class Settler:
    """Watches one canvas of one row between denoising steps."""

    def __init__(self, settle_steps: int, settle_entropy: float) -> None:
        self._settle_steps, self._settle_entropy = settle_steps, settle_entropy
        self._previous: torch.Tensor | None = None
        self._num_calm_steps: torch.Tensor | None = None

    def settle(self, canvas: Canvas) -> int:
        """Take in one step; pins what has settled. Returns how many leading positions have.

        A pinned position is settled from the start; `canvas` is modified.
        """
        argmax = canvas.argmax[0]
        if self._previous is None or self._num_calm_steps is None:
            self._previous = torch.full_like(argmax, -1)
            self._num_calm_steps = torch.zeros_like(argmax)
        is_calm = (argmax == self._previous) & (canvas.entropy[0] < self._settle_entropy)
        self._num_calm_steps = torch.where(is_calm, self._num_calm_steps + 1, 0)
        self._previous = argmax
        is_done = (self._num_calm_steps >= self._settle_steps) | canvas.pinned[0]
        num_settled = int(is_done.long().cumprod(dim=0).sum())
        leading = torch.arange(len(argmax), device=argmax.device) < num_settled
        canvas.pin(leading[None] & ~canvas.pinned, canvas.argmax)
        return num_settled
