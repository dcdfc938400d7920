"""The mixture of experts on a GPU: sorting, two grouped products and a reduction, four launches.

Picks block sizes from the table by the GPU and the number of rows; nothing is tuned at run time and
nothing waits for the GPU. Knows nothing of layers.
"""

from torch import Tensor

from infill_kernels.moe_blocks import sort_into_blocks
from infill_kernels.moe_combine import sum_choices
from infill_kernels.moe_configs import chip_of, choose_config
from infill_kernels.moe_down import down
from infill_kernels.moe_gate_up import gate_up
from infill_kernels.moe_weights import ExpertMatrices


def run_choices(
    x: Tensor,
    gate_up_weights: ExpertMatrices,
    down_weights: ExpertMatrices,
    weights: Tensor,
    expert_idx: Tensor,
) -> Tensor:
    """Each row's chosen experts' answers, times their weights, not yet added up.

    Deterministic. Synchronizes: no; may be captured in a CUDA graph once it has run with as many
    rows before, as the first call compiles.

    Args:
        x: [N, E] bfloat16 or float16, contiguous along E.
        gate_up_weights: [X, 2I, E], gate rows first.
        down_weights: [X, E, I], in the same format.
        weights: [N, K] float32, contiguous.
        expert_idx: [N, K] integers, contiguous, 0 to X - 1.

    Returns:
        [N, K, E] in the dtype of `x`, for `sum_choices` or `combine_branches`.

    Raises:
        ValueError: shapes, strides or formats do not fit each other.
    """
    num_experts = gate_up_weights.shape[0]
    if not expert_idx.numel():
        return x.new_empty(*expert_idx.shape, x.shape[1])  # a grid of no programs is an error
    pairs_per_expert = expert_idx.numel() / num_experts
    config = choose_config(chip_of(x.device), gate_up_weights, down_weights, pairs_per_expert)
    blocks = sort_into_blocks(expert_idx, num_experts, config.gate_up.block_m)
    inner = gate_up(x, gate_up_weights, blocks, config.gate_up)
    return down(inner, down_weights, weights, blocks, config.down)


def run_packed_experts(
    x: Tensor,
    gate_up_weights: ExpertMatrices,
    down_weights: ExpertMatrices,
    weights: Tensor,
    expert_idx: Tensor,
) -> Tensor:
    """`infill_kernels.run_experts` for any weight format: `run_choices`, added up to [N, E]."""
    return sum_choices(run_choices(x, gate_up_weights, down_weights, weights, expert_idx))
