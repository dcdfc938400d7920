"""Second grouped product of the mixture of experts: down(inner), times the routing weight.

Leaves one row for each (row, choice) pair; `moe_combine` adds them up. Atomic additions into [N, E]
would save that round trip through L2, but their order, and with it the last bits, would differ from
run to run. Knows nothing of activations or norms.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.moe_blocks import ExpertBlocks
from infill_kernels.moe_configs import TileConfig
from infill_kernels.moe_tiles import grouped_product
from infill_kernels.moe_weights import ExpertMatrices, two_units

# ruff: noqa: N803  (a kernel's constants are in capitals)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


def down(
    inner: Tensor,
    weights: ExpertMatrices,
    routing_weights: Tensor,
    blocks: ExpertBlocks,
    config: TileConfig,
) -> Tensor:
    """down(inner) * routing weight, of every (row, choice) pair.

    Synchronizes: no. Sums are float32 and rounded once, after the routing weight.

    Args:
        inner: [N * K, I], contiguous, in the order of pairs.
        weights: [X, E, I] in any format.
        routing_weights: [N, K] float32, contiguous.
        blocks: the pairs sorted by expert, `config.block_m` a block.
        config: block sizes.

    Returns:
        [N, K, E] in the dtype of `inner`.

    Raises:
        ValueError: shapes, strides, dtypes or block sizes do not fit each other.
    """
    _, size, num_inner = weights.shape
    if inner.shape != (blocks.num_pairs, num_inner) or not inner.is_contiguous():
        raise ValueError(f"inner must be contiguous [{blocks.num_pairs}, {num_inner}]")
    shape = (blocks.num_pairs // blocks.num_chosen, blocks.num_chosen)
    if routing_weights.shape != shape or not routing_weights.is_contiguous():
        raise ValueError(f"routing weights must be contiguous {shape}: {routing_weights.shape}")
    if routing_weights.dtype != torch.float32:
        raise ValueError(f"routing weights must be float32, not {routing_weights.dtype}")
    weights.check_for(inner)
    config.check(weights, blocks.block_m)
    out = torch.empty(*shape, size, dtype=inner.dtype, device=inner.device)
    grid = (blocks.max_blocks * triton.cdiv(size, config.block_n),)
    _down_kernel[grid](
        inner,
        weights.values,
        weights.scales,
        routing_weights,
        blocks.pairs,
        blocks.experts,
        blocks.num_blocks,
        out,
        blocks.num_pairs,
        two_units(inner.dtype),
        INNER=num_inner,
        SIZE=size,
        BLOCK_M=config.block_m,
        BLOCK_N=config.block_n,
        BLOCK_K=config.block_k,
        FORMAT=int(weights.format),
        GROUP=weights.group,
        IS_SWAPPED=config.is_swapped,
        num_warps=config.num_warps,
        num_stages=config.num_stages,
    )
    return out


@triton.jit
def _down_kernel(
    inner_ptr: tl.tensor,  # [N * K, I]
    weight_ptr: tl.tensor,  # [X, E, I], or words
    scale_ptr: tl.tensor,  # see moe_weights
    routing_ptr: tl.tensor,  # [N * K] float32
    pairs_ptr: tl.tensor,  # [max_blocks * BLOCK_M] int32
    experts_ptr: tl.tensor,  # [max_blocks] int32
    num_blocks_ptr: tl.tensor,  # [1] int32
    out_ptr: tl.tensor,  # [N * K, E]
    num_pairs: tl.tensor,
    two_units: tl.tensor,
    INNER: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    FORMAT: tl.constexpr,
    GROUP: tl.constexpr,
    IS_SWAPPED: tl.constexpr,
) -> None:
    num_tiles: tl.constexpr = (SIZE + BLOCK_N - 1) // BLOCK_N
    block = tl.program_id(0) // num_tiles
    if block >= tl.load(num_blocks_ptr):
        return
    columns = (tl.program_id(0) % num_tiles) * BLOCK_N + tl.arange(0, BLOCK_N)
    expert = tl.load(experts_ptr + block).to(tl.int64)
    pairs = tl.load(pairs_ptr + block * BLOCK_M + tl.arange(0, BLOCK_M))
    is_pair = pairs < num_pairs
    dtype: tl.constexpr = inner_ptr.dtype.element_ty
    row_ptrs = inner_ptr + pairs.to(tl.int64)[:, None] * INNER
    total = grouped_product(
        row_ptrs, is_pair, weight_ptr, scale_ptr, expert, columns, two_units,
        SIZE, INNER, BLOCK_M, BLOCK_N, BLOCK_K, FORMAT, GROUP, IS_SWAPPED, dtype,
    )  # fmt: skip
    share = tl.load(routing_ptr + pairs, mask=is_pair, other=0.0)
    out_ptrs = out_ptr + pairs.to(tl.int64)[:, None] * SIZE + columns[None, :]
    mask = is_pair[:, None] & (columns < SIZE)[None, :]
    tl.store(out_ptrs, (total * share[:, None]).to(dtype), mask=mask)
