"""Mixture of experts with int8 weights: every touched expert runs once over its rows.

The same rows, order and result as `infill_kernels.moe.run_experts`, up to the rounding of
activations. Knows nothing of layers or residuals.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from infill_kernels.int8 import Int8Rows, int8_matmul, quantize_rows


def run_int8_experts(
    x: Tensor, gate_up: Int8Rows, down: Int8Rows, weights: Tensor, expert_idx: Tensor
) -> Tensor:
    """Weighted sum over each row's experts of down(gelu_tanh(gate(x)) * up(x)).

    1. Sort the choices by expert; round every row of `x` once, however many experts read it.
    2. Multiply with gate and up, expert by expert, into one buffer.
    3. Apply the gate. The row scale of `up` is left for the end: rounding does not depend on it.
    4. Multiply with down, expert by expert, and add up each row's choices.

    On a CPU `index_add_` goes row by row, so the same input always gives the same bits.

    Args:
        x: [N, E] float32.
        gate_up: [X, 2I, E], gate rows first, and its scales [X, 2I].
        down: [X, E, I] and its scales [X, E].
        weights: [N, K] float32.
        expert_idx: [N, K] int64.

    Returns:
        [N, E] float32.
    """
    num_chosen = expert_idx.shape[1]
    # 1. Sort the choices by expert.
    experts, order = expert_idx.flatten().sort(stable=True)
    row_idx = order // num_chosen
    rows_per_expert = torch.bincount(experts, minlength=len(gate_up.scale)).tolist()
    rows = quantize_rows(x)
    scale = rows.scale.index_select(0, row_idx).unsqueeze(-1)
    # 2. Gate and up.
    read = rows.values.index_select(0, row_idx)
    gate, up = _grouped(read, gate_up, experts, rows_per_expert).chunk(2, dim=-1)
    # 3. Apply the gate.
    inner = quantize_rows(F.gelu(gate.mul_(scale), approximate="tanh").mul_(up))
    # 4. Down.
    share = weights.flatten().index_select(0, order).unsqueeze(-1)
    scale = scale.mul_(inner.scale.unsqueeze(-1)).mul_(share)
    per_choice = _grouped(inner.values, down, experts, rows_per_expert).mul_(scale)
    return torch.zeros_like(x).index_add_(0, row_idx, per_choice)


def _grouped(
    values: Tensor, weight: Int8Rows, experts: Tensor, rows_per_expert: list[int]
) -> Tensor:
    """[n, K] int8 times each row's expert of [X, N, K]: [n, N] float32, without row scales.

    `experts` [n] is sorted and has `rows_per_expert[e]` entries of expert e.
    """
    sums = torch.empty(len(values), weight.values.shape[1], dtype=torch.int32)
    begin = 0
    for expert, num_rows in enumerate(rows_per_expert):
        if num_rows:
            rows = slice(begin, begin + num_rows)
            int8_matmul(values[rows], weight.values[expert].t(), out=sums[rows])
            begin += num_rows
    return sums * weight.scale.index_select(0, experts)
