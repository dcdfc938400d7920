"""Mixture of experts: choose the top-k experts of every row, run them, add up their answers.

The CPU path sorts rows by expert so that each touched expert runs once over its rows; experts
no row chose cost nothing. On a GPU the Triton kernels in `moe_fused` and `moe_router` take over
wherever `backend` lets them. Knows nothing of layers or residuals.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from infill_kernels.backend import uses_triton


def route(
    x: Tensor, router_weight: Tensor, per_expert_scale: Tensor, num_experts_per_token: int
) -> tuple[Tensor, Tensor]:
    """Softmax over experts, keep the k largest, renormalise them, apply the experts' scales.

    Args:
        x: [N, E], normalised and scaled router input.
        router_weight: [X, E].
        per_expert_scale: [X].
        num_experts_per_token: K, 1 to X.

    Returns:
        weights [N, K] float32 and expert indices [N, K] int64, largest probability first.
    """
    # On a CPU the product of a single row is another routine's, which rounds otherwise.
    is_lone = len(x) == 1 and x.device.type == "cpu"
    scores = F.linear(x.expand(2, -1) if is_lone else x, router_weight)[: len(x)]
    if uses_triton(scores, per_expert_scale):
        from infill_kernels.moe_router import choose_experts

        return choose_experts(scores, per_expert_scale, num_experts_per_token)
    probabilities = scores.softmax(dim=-1, dtype=torch.float32)
    weights, expert_idx = probabilities.topk(num_experts_per_token, dim=-1)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights * per_expert_scale[expert_idx], expert_idx


def run_experts(
    x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, expert_idx: Tensor
) -> Tensor:
    """Weighted sum over each row's experts of down(gelu_tanh(gate(x)) * up(x)).

    The sum over k is taken in a fixed order, so the same input always gives the same bits.

    Args:
        x: [N, E].
        gate_up: [X, 2I, E], gate rows first.
        down: [X, E, I].
        weights: [N, K].
        expert_idx: [N, K] int64; X or more leaves a choice out.

    Returns:
        [N, E] in the dtype of `x`.
    """
    if uses_triton(x, gate_up, down, weights):
        from infill_kernels.moe_fused import run_packed_experts
        from infill_kernels.moe_weights import dense

        return run_packed_experts(x, dense(gate_up), dense(down), weights, expert_idx)
    num_rows, num_chosen = expert_idx.shape
    order = expert_idx.flatten().argsort(stable=True)
    sorted_x = x[order // num_chosen]
    num_experts = gate_up.shape[0]
    rows_per_expert = torch.bincount(expert_idx.flatten(), minlength=num_experts)[:num_experts]
    if x.is_cuda and x.dtype == torch.bfloat16:
        sorted_out = _grouped(sorted_x, gate_up, down, rows_per_expert)
    else:
        sorted_out = _one_by_one(sorted_x, gate_up, down, rows_per_expert.tolist())
    back = torch.empty_like(order)
    back[order] = torch.arange(order.numel(), device=order.device)
    per_choice = sorted_out[back].view(num_rows, num_chosen, -1)
    return (per_choice * weights.to(per_choice.dtype).unsqueeze(-1)).sum(dim=1)


def run_choices(
    x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, expert_idx: Tensor
) -> Tensor:
    """`run_experts` for `finish_layer`, which adds up choices where that saves a launch.

    Args:
        x: [N, E].
        gate_up: [X, 2I, E], gate rows first.
        down: [X, E, I].
        weights: [N, K].
        expert_idx: [N, K] int64; X or more leaves a choice out.

    Returns:
        [N, K, E] where the Triton kernels run, else [N, E], the sum; in the dtype of `x`. Rows with
        choices left out hold anything in the former.
    """
    if uses_triton(x, gate_up, down, weights):
        from infill_kernels import moe_fused
        from infill_kernels.moe_weights import dense

        return moe_fused.run_choices(x, dense(gate_up), dense(down), weights, expert_idx)
    return run_experts(x, gate_up, down, weights, expert_idx)


def _one_by_one(x: Tensor, gate_up: Tensor, down: Tensor, rows_per_expert: list[int]) -> Tensor:
    parts: list[Tensor] = []
    begin = 0
    for expert, num_rows in enumerate(rows_per_expert):
        if num_rows:
            rows = x[begin : begin + num_rows]
            gate, up = F.linear(rows, gate_up[expert]).chunk(2, dim=-1)
            parts.append(F.linear(F.gelu(gate, approximate="tanh") * up, down[expert]))
            begin += num_rows
    if begin < len(x):  # choices left out
        parts.append(x.new_zeros(len(x) - begin, down.shape[1]))
    return torch.cat(parts) if parts else x


def _grouped(x: Tensor, gate_up: Tensor, down: Tensor, rows_per_expert: Tensor) -> Tensor:
    """One launch for all experts, without asking the GPU how many rows each has."""
    ends = rows_per_expert.cumsum(0).to(torch.int32)
    gate, up = F.grouped_mm(x, gate_up.transpose(-2, -1), offs=ends).chunk(2, dim=-1)
    return F.grouped_mm(F.gelu(gate, approximate="tanh") * up, down.transpose(-2, -1), offs=ends)
