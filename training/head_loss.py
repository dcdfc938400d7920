"""Cross entropy through the tied, softcapped head, a few rows at a time.

The vocabulary makes the head the dearest part of a small model, and logits of all rows at once
would not fit any cache. So each chunk's gradient is taken as soon as its logits exist, and they
are never stored. Knows nothing of where rows and targets come from.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

# 128 rows of 16,384 float32 logits are 8 MiB: they stay in a server CPU's last-level cache.
_CPU_ROWS = 128
_CUDA_ROWS = 8192


class HeadLoss(NamedTuple):
    """Outcome of one head call."""

    total: Tensor  # scalar: sum of weighted row losses; gradients flow through it
    row_losses: Tensor  # [N] float32 nats, no gradient
    beliefs: Tensor  # [N or 0, E] mean embedding under each row's distribution, unscaled


def head_loss(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    row_weights: Tensor,
    softcap: float,
    wants_beliefs: bool = False,
) -> HeadLoss:
    """Weighted sum of each row's cross entropy.

    Args:
        hidden: [N, E], normed.
        weight: [V, E], the embedding table.
        targets: [N] int64.
        row_weights: [N] float32; what each row counts in the sum.
        softcap: logits are softcap * tanh(raw / softcap).
        wants_beliefs: also return `softmax(logits) @ weight`, which costs one more product.
    """
    num_rows = len(hidden)
    if not hidden.is_cuda:  # whole chunks, so that compiled code has one shape
        num_missing = -num_rows % _CPU_ROWS
        hidden = nn.functional.pad(hidden, (0, 0, 0, num_missing))
        targets = nn.functional.pad(targets, (0, num_missing))
        row_weights = nn.functional.pad(row_weights, (0, num_missing))
    outcome: Any = _Function.apply(hidden, weight, targets, row_weights, softcap, wants_beliefs)
    total, row_losses, beliefs = outcome
    return HeadLoss(total, row_losses[:num_rows], beliefs[:num_rows])


def chunk_loss(
    raw: Tensor, targets: Tensor, row_weights: Tensor, softcap: float
) -> tuple[Tensor, Tensor, Tensor]:
    """One chunk's losses [N], gradient by `raw` [N, V] and probabilities [N, V]."""
    squashed = torch.tanh(raw.float() / softcap)
    # Logits are within +-softcap, so their exponentials need no maximum taken off.
    exponentials = torch.exp(squashed * softcap - softcap)
    sums = exponentials.sum(dim=1, keepdim=True)
    probabilities = exponentials / sums
    of_targets = squashed.gather(1, targets[:, None]) * softcap
    losses = (sums.log() + softcap - of_targets).squeeze(1)
    # d CE / d raw = (p - onehot) * (1 - tanh^2)
    is_target = torch.arange(raw.shape[1], device=raw.device) == targets[:, None]
    grad = (probabilities - is_target.to(probabilities.dtype)) * (1.0 - squashed * squashed)
    return losses, (grad * row_weights[:, None]).to(raw.dtype), probabilities.to(raw.dtype)


_chunk = chunk_loss


def use_compiled_chunks() -> None:
    """Fuse each chunk's elementwise work; needs a C++ compiler or Triton, costs a minute once.

    Measured on two cores of an EPYC, 128 rows of 16,384: 67 ms plain, 11 ms compiled.
    """
    global _chunk
    _chunk = torch.compile(chunk_loss, dynamic=False)


class _Function(Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        row_weights: Tensor,
        softcap: float,
        wants_beliefs: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        losses: list[Tensor] = []
        beliefs: list[Tensor] = []
        grad_hidden = torch.empty_like(hidden)
        grad_logits = hidden.new_empty(len(hidden), len(weight))
        num_rows = _CUDA_ROWS if hidden.is_cuda else _CPU_ROWS
        for begin in range(0, len(hidden), num_rows):
            rows = slice(begin, begin + num_rows)
            loss, grad, probabilities = _chunk(
                hidden[rows] @ weight.T, targets[rows], row_weights[rows], softcap
            )
            losses.append(loss)
            if wants_beliefs:
                beliefs.append(probabilities @ weight)
            grad_hidden[rows] = grad @ weight
            grad_logits[rows] = grad
        row_losses = torch.cat(losses) if losses else row_weights
        believed = torch.cat(beliefs) if beliefs else hidden.new_empty(0, hidden.shape[1])
        grad_weight = grad_logits.T @ hidden
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.mark_non_differentiable(row_losses, believed)
        return (row_losses * row_weights).sum(), row_losses, believed

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight = ctx.saved_tensors
        scale = grads[0].to(grad_hidden.dtype)
        return grad_hidden * scale, grad_weight * scale, None, None, None, None
