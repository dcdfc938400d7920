"""First grouped product of the mixture of experts: gelu_tanh(gate(x)) * up(x), one launch.

Knows what `moe_blocks` sorted and how `moe_weights` packs; nothing of routing weights or norms.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.moe_blocks import ExpertBlocks, work_of
from infill_kernels.moe_configs import TileConfig
from infill_kernels.moe_tiles import block_and_tile, expert_and_pairs, gelu_tanh, grouped_product
from infill_kernels.moe_weights import ExpertMatrices, two_units

# ruff: noqa: N803  (a kernel's constants are in capitals)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


def gate_up(
    x: Tensor, weights: ExpertMatrices, blocks: ExpertBlocks | None, config: TileConfig
) -> Tensor:
    """gelu_tanh(gate(x)) * up(x) of every (row, choice) pair.

    Synchronizes: no. Sums are float32 and rounded once, after the activation.

    Args:
        x: [N, E] bfloat16 or float16 (float32 in tests), contiguous along E, any row stride.
        weights: [X, 2I, E] in any format, gate rows first.
        blocks: the pairs sorted by expert, `config.block_m` a block; None when X is 1 and every row
            its only pair, so that there is nothing to sort. N may not be 0 then.
        config: block sizes; `block_n` counts rows of gate, and as many of up come along.

    Returns:
        [N * K, I] in the dtype of `x`, in the order of pairs: row * K + choice.

    Raises:
        ValueError: shapes, strides, dtypes or block sizes do not fit each other.
    """
    _, doubled, size = weights.shape
    if x.ndim != 2 or x.shape[1] != size or x.stride(1) != 1:
        raise ValueError(f"x must be [N, {size}], contiguous along it: {x.shape}, {x.stride()}")
    weights.check_for(x)
    work = work_of(weights, x.shape[0], blocks, config)
    inner = doubled // 2
    out = torch.empty(work.num_pairs, inner, dtype=x.dtype, device=x.device)
    grid = (work.num_blocks * triton.cdiv(inner, config.block_n),)
    _gate_up_kernel[grid](
        x,
        weights.values,
        weights.scales,
        *work.arguments(x),
        out,
        x.stride(0),
        work.num_pairs,
        two_units(x.dtype),
        NUM_CHOSEN=work.num_chosen,
        INNER=inner,
        SIZE=size,
        BLOCK_M=config.block_m,
        BLOCK_N=config.block_n,
        BLOCK_K=config.block_k,
        FORMAT=int(weights.format),
        GROUP=weights.group,
        IS_SWAPPED=config.is_swapped,
        IS_SORTED=blocks is not None,
        num_warps=config.num_warps,
        num_stages=config.num_stages,
    )
    return out


@triton.jit
def _gate_up_kernel(
    x_ptr: tl.tensor,  # [N, E]
    weight_ptr: tl.tensor,  # [X, 2I, E], or words
    scale_ptr: tl.tensor,  # see moe_weights
    pairs_ptr: tl.tensor,  # [max_blocks * BLOCK_M] int32
    experts_ptr: tl.tensor,  # [max_blocks] int32
    num_blocks_ptr: tl.tensor,  # [1] int32
    out_ptr: tl.tensor,  # [N * K, I]
    x_stride: tl.tensor,
    num_pairs: tl.tensor,
    two_units: tl.tensor,
    NUM_CHOSEN: tl.constexpr,
    INNER: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    FORMAT: tl.constexpr,
    GROUP: tl.constexpr,
    IS_SWAPPED: tl.constexpr,
    IS_SORTED: tl.constexpr,
) -> None:
    num_tiles: tl.constexpr = (INNER + BLOCK_N - 1) // BLOCK_N
    block, tile, num_blocks = block_and_tile(
        num_blocks_ptr, num_pairs, num_tiles, BLOCK_M, IS_SORTED
    )
    if block >= num_blocks:
        return
    first = tile * BLOCK_N
    # Rows of gate and of up take turns, so that one product computes both and each pair of sums is
    # near each other in the end.
    turn = tl.arange(0, 2 * BLOCK_N)
    rows = first + turn // 2
    rows = tl.where(rows < INNER, rows + (turn % 2) * INNER, 0)
    expert, pairs = expert_and_pairs(block, pairs_ptr, experts_ptr, BLOCK_M, IS_SORTED)
    is_pair = pairs < num_pairs
    dtype: tl.constexpr = x_ptr.dtype.element_ty
    row_ptrs = x_ptr + (pairs // NUM_CHOSEN).to(tl.int64)[:, None] * x_stride
    total = grouped_product(
        row_ptrs, is_pair, weight_ptr, scale_ptr, expert, rows, two_units,
        2 * INNER, SIZE, BLOCK_M, 2 * BLOCK_N, BLOCK_K, FORMAT, GROUP, IS_SWAPPED, dtype,
    )  # fmt: skip
    gate, up = tl.split(total.reshape(BLOCK_M, BLOCK_N, 2))
    columns = first + tl.arange(0, BLOCK_N)
    out_ptrs = out_ptr + pairs.to(tl.int64)[:, None] * INNER + columns[None, :]
    mask = is_pair[:, None] & (columns < INNER)[None, :]
    tl.store(out_ptrs, (gelu_tanh(gate) * up).to(dtype), mask=mask)
