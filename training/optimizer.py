"""Muon for matrices, Adam for everything else, on float32 masters of the working weights.

Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) replaces each matrix' momentum by the
nearest orthogonal matrix, found by Newton-Schulz iteration; matrices of one shape, experts
included, are iterated as one batch. Knows nothing of losses or schedules.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from infill_engine.model.diffusion_gemma import DiffusionGemma

_QUINTIC = (3.4445, -4.7750, 2.0315)
_NUM_ITERATIONS = 5
_MOMENTUM = 0.95
_BETAS = (0.9, 0.95)
_ADAM_EPS = 1e-10


@dataclass(frozen=True, slots=True)
class LearningRates:
    """Peak rates; a schedule's factor scales all of them."""

    matrix: float
    embedding: float
    scalar: float


@dataclass
class _Slot:
    """One parameter, its master and its optimizer state."""

    name: str
    working: Tensor
    master: Tensor
    average: Tensor
    is_matrix: bool
    moments: list[Tensor] = field(default_factory=list)


class Optimizer:
    """Owns masters, averages and moments; after `step` the working weights are rounded masters.

    Args:
        model: its parameters are the working weights, in any dtype.
        rates: peak learning rates.
        ema_decay: per step, of the averaged masters.
        uses_muon: False trains matrices with Adam too, at the scalar rate.
    """

    def __init__(
        self,
        model: DiffusionGemma,
        rates: LearningRates,
        ema_decay: float,
        uses_muon: bool = True,
    ) -> None:
        self._rates, self._ema_decay = rates, ema_decay
        self.num_steps = 0
        self._slots: list[_Slot] = []
        for name, parameter in model.named_parameters():
            master = parameter.detach().float().clone()
            is_matrix = uses_muon and _is_matrix(name, parameter)
            slot = _Slot(name, parameter, master, master.clone(), is_matrix)
            slot.moments = [torch.zeros_like(master) for _ in range(1 if is_matrix else 2)]
            self._slots.append(slot)

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Apply the gradients at `factor` times the peak rates, and clear them."""
        self.num_steps += 1
        by_shape: dict[tuple[int, ...], list[_Slot]] = {}
        for slot in self._slots:
            if slot.working.grad is None:
                continue
            if slot.is_matrix:
                by_shape.setdefault(tuple(slot.master.shape), []).append(slot)
            else:
                self._adam(slot, slot.working.grad.float(), factor)
        for slots in by_shape.values():
            self._muon(slots, factor)
        decay = min(self._ema_decay, (1 + self.num_steps) / (10 + self.num_steps))
        for slot in self._slots:
            slot.working.grad = None
            slot.working.copy_(slot.master)
            slot.average.lerp_(slot.master, 1 - decay)

    def masters(self, averaged: bool) -> dict[str, Tensor]:
        """The float32 weights by parameter name, as they are or averaged; not copies."""
        return {slot.name: slot.average if averaged else slot.master for slot in self._slots}

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on bit-exactly."""
        tensors: dict[str, Tensor] = {}
        for slot in self._slots:
            tensors[f"master/{slot.name}"] = slot.master
            tensors[f"average/{slot.name}"] = slot.average
            for idx, moment in enumerate(slot.moments):
                tensors[f"moment{idx}/{slot.name}"] = moment
        return {"num_steps": self.num_steps, "tensors": tensors}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state; one that holds masters only restarts moments and averages.

        Raises:
            KeyError: a parameter of this model is not in the state.
        """
        self.num_steps = int(state["num_steps"])
        tensors: dict[str, Tensor] = state["tensors"]
        for slot in self._slots:
            slot.master.copy_(tensors[f"master/{slot.name}"])
            slot.average.copy_(tensors.get(f"average/{slot.name}", slot.master))
            for idx, moment in enumerate(slot.moments):
                held = tensors.get(f"moment{idx}/{slot.name}")
                if held is not None:
                    moment.copy_(held)
            slot.working.copy_(slot.master)

    def _adam(self, slot: _Slot, grad: Tensor, factor: float) -> None:
        first, second = slot.moments
        first.lerp_(grad, 1 - _BETAS[0])
        second.lerp_(grad.square(), 1 - _BETAS[1])
        bias_1 = 1 - _BETAS[0] ** self.num_steps
        bias_2 = 1 - _BETAS[1] ** self.num_steps
        rates = self._rates
        rate = rates.embedding if slot.name == "embed_tokens.weight" else rates.scalar
        denominator = (second / bias_2).sqrt_().add_(_ADAM_EPS)
        slot.master.addcdiv_(first, denominator, value=-factor * rate / bias_1)

    def _muon(self, slots: list[_Slot], factor: float) -> None:
        updates: list[Tensor] = []
        for slot in slots:
            assert slot.working.grad is not None
            grad, (momentum,) = slot.working.grad.float(), slot.moments
            momentum.lerp_(grad, 1 - _MOMENTUM)
            updates.append(_single_matrices(slot.name, grad.lerp_(momentum, _MOMENTUM)))
        orthogonal = orthogonalise(torch.cat(updates))
        num_out, num_in = orthogonal.shape[-2:]
        rate = factor * self._rates.matrix * max(1.0, num_out / num_in) ** 0.5
        for slot, update in zip(slots, orthogonal.chunk(len(slots)), strict=True):
            slot.master.add_(update.reshape(slot.master.shape), alpha=-rate)


def orthogonalise(matrices: Tensor) -> Tensor:
    """[N, A, B] to matrices of the same singular vectors and singular values near 1.

    Newton-Schulz in bfloat16: x <- a x + (b xx' + c (xx')^2) x.
    """
    x = matrices.bfloat16()
    is_tall = x.shape[-2] > x.shape[-1]
    if is_tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) * 1.02 + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_NUM_ITERATIONS):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return (x.mT if is_tall else x).float()


def _single_matrices(name: str, update: Tensor) -> Tensor:
    """[N, A, B]; the gate and up halves of stacked experts are matrices of their own."""
    if update.ndim == 2:
        return update[None]
    if name.endswith("gate_up_proj"):
        return update.reshape(2 * update.shape[0], update.shape[1] // 2, update.shape[2])
    return update


def _is_matrix(name: str, parameter: Tensor) -> bool:
    return parameter.ndim >= 2 and not name.startswith("embed") and ".router." not in name
