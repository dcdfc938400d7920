"""Keeps the experts evenly used while training (Switch Transformer, arXiv:2101.03961, Eq. 4).

Listens to the routers from outside, so that the model itself carries no training code.
"""

import torch
from torch import Tensor, nn

from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model.layers import Router

_WEIGHT = 0.01


class RouterBalance:
    """Adds up every pass' imbalance until `take_loss` fetches it."""

    def __init__(self, model: DiffusionGemma) -> None:
        self._losses: list[Tensor] = []
        for module in model.modules():
            if isinstance(module, Router):
                module.register_forward_hook(self._listen)

    def take_loss(self) -> Tensor:
        """Weighted mean over all passes since the last call: 1 x weight when use is even."""
        loss = torch.stack(self._losses).mean() * _WEIGHT
        self._losses = []
        return loss

    def _listen(self, router: Router, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        if not torch.is_grad_enabled():
            return
        probabilities = nn.functional.linear(inputs[0], router.proj.weight).softmax(
            -1, torch.float32
        )
        num_experts = probabilities.shape[1]
        chosen = torch.bincount(output[1].flatten(), minlength=num_experts).float()
        share = chosen / chosen.sum()
        self._losses.append(num_experts * (share * probabilities.mean(dim=0)).sum())
