"""When a canvas has converged: its best guess no longer changes and is confident."""

import torch
from torch import Tensor


class StableAndConfident:
    """Per-row stopping test of one canvas; holds the last few argmax canvases.

    A row stops once its argmax canvas equals those of the last `stability_threshold` steps and
    its mean entropy is below `confidence_threshold` nats.
    """

    def __init__(self, stability_threshold: int, confidence_threshold: float) -> None:
        self._stability_threshold = stability_threshold
        self._confidence_threshold = confidence_threshold
        self._history: list[Tensor] = []

    def update(self, argmax_canvas: Tensor, mean_entropy: Tensor) -> Tensor:
        """Take in one step; returns which rows [B] bool have converged.

        Args:
            argmax_canvas: [B, C] int64.
            mean_entropy: [B] nats over the positions that are still free.
        """
        confident = mean_entropy < self._confidence_threshold
        if self._stability_threshold == 0:
            return confident
        if len(self._history) < self._stability_threshold:
            stable = torch.zeros_like(confident)
        else:
            stable = torch.stack([(old == argmax_canvas).all(dim=-1) for old in self._history])
            stable = stable.all(dim=0)
        self._history = [*self._history, argmax_canvas][-self._stability_threshold :]
        return stable & confident
