"""From router scores to weights and experts in one launch: top-k, softmax over them, scales.

The same as `infill_kernels.moe.route` after its product: the k largest probabilities, renormalised,
are the softmax of the k largest scores. Knows nothing of where the scores come from.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

# ruff: noqa: N803  (a kernel's constants are in capitals)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


def choose_experts(
    scores: Tensor, per_expert_scale: Tensor, num_experts_per_token: int
) -> tuple[Tensor, Tensor]:
    """Softmax of each row's k largest scores, times their experts' scales.

    Deterministic; of equal scores the lower expert comes first. Synchronizes: no. A row with scores
    that are not numbers gets weights that are none, but experts that exist.

    Args:
        scores: [N, X] float32, bfloat16 or float16, contiguous along X, any row stride.
        per_expert_scale: [X], contiguous.
        num_experts_per_token: K, 1 to X.

    Returns:
        weights [N, K] float32 and expert indices [N, K] int64, largest score first.

    Raises:
        ValueError: shapes or strides do not fit, or K is out of range.
    """
    num_rows, num_experts = scores.shape
    if scores.stride(1) != 1 or per_expert_scale.shape != (num_experts,):
        raise ValueError(f"scores {scores.shape} must be contiguous along their experts")
    if not 1 <= num_experts_per_token <= num_experts:
        raise ValueError(f"num_experts_per_token: {num_experts_per_token} of {num_experts}")
    shape = (num_rows, num_experts_per_token)
    weights = torch.empty(shape, dtype=torch.float32, device=scores.device)
    expert_idx = torch.empty(shape, dtype=torch.int64, device=scores.device)
    if not num_rows:
        return weights, expert_idx  # a grid of no programs is an error
    rows_per_program = 4  # one row a warp: 64 programs at 256 rows, and no talk between warps
    _choose_kernel[(triton.cdiv(num_rows, rows_per_program),)](
        scores,
        per_expert_scale,
        weights,
        expert_idx,
        num_rows,
        scores.stride(0),
        NUM_EXPERTS=num_experts,
        NUM_CHOSEN=num_experts_per_token,
        BLOCK_X=triton.next_power_of_2(num_experts),
        BLOCK_C=triton.next_power_of_2(num_experts_per_token),
        ROWS=rows_per_program,
        num_warps=4,
    )
    return weights, expert_idx


@triton.jit
def _choose_kernel(
    scores_ptr: tl.tensor,  # [N, X]
    scale_ptr: tl.tensor,  # [X]
    weights_ptr: tl.tensor,  # [N, K] float32
    expert_idx_ptr: tl.tensor,  # [N, K] int64
    num_rows: tl.tensor,
    scores_stride: tl.tensor,
    NUM_EXPERTS: tl.constexpr,
    NUM_CHOSEN: tl.constexpr,
    BLOCK_X: tl.constexpr,
    BLOCK_C: tl.constexpr,
    ROWS: tl.constexpr,
) -> None:
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    experts = tl.arange(0, BLOCK_X)
    choices = tl.arange(0, BLOCK_C)
    is_score = (rows < num_rows)[:, None] & (experts < NUM_EXPERTS)[None, :]
    places = scores_ptr + rows[:, None] * scores_stride + experts[None, :]
    scores = tl.load(places, mask=is_score, other=0.0).to(tl.float32)
    # A score and its expert in one integer, so that one maximum finds both. Floats order like
    # integers once the negative ones have their lower bits turned over.
    bits = scores.to(tl.int32, bitcast=True)
    ordered = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(tl.int64)
    keys = (ordered << 16) | (65535 - experts)[None, :].to(tl.int64)
    nothing: tl.constexpr = -(1 << 62)
    keys = tl.where((experts < NUM_EXPERTS)[None, :], keys, nothing)

    best_keys = tl.full((ROWS, BLOCK_C), nothing, tl.int64)
    for choice in tl.static_range(NUM_CHOSEN):
        best = tl.max(keys, axis=1)
        best_keys = tl.where((choices == choice)[None, :], best[:, None], best_keys)
        keys = tl.where(keys == best[:, None], nothing, keys)
    chosen = 65535 - (best_keys & 65535)
    best_ordered = (best_keys >> 16).to(tl.int32)
    best_bits = tl.where(best_ordered < 0, best_ordered ^ 0x7FFFFFFF, best_ordered)
    best_scores = best_bits.to(tl.float32, bitcast=True)

    is_choice = (rows < num_rows)[:, None] & (choices < NUM_CHOSEN)[None, :]
    largest = tl.max(tl.where((choices == 0)[None, :], best_scores, float("-inf")), axis=1)
    shares = tl.where((choices < NUM_CHOSEN)[None, :], tl.exp(best_scores - largest[:, None]), 0.0)
    weights = shares / tl.sum(shares, axis=1)[:, None]
    weights *= tl.load(scale_ptr + chosen, mask=is_choice, other=0.0).to(tl.float32)
    out = rows[:, None] * NUM_CHOSEN + choices[None, :]
    tl.store(weights_ptr + out, weights, mask=is_choice)
    tl.store(expert_idx_ptr + out, chosen, mask=is_choice)
