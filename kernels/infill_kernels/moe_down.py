"""Second grouped product of the mixture of experts: down(inner), times the routing weight.

Leaves one row for each (row, choice) pair; `moe_combine` adds them up. Atomic additions into [N, E]
would save that round trip through L2, but their order, and with it the last bits, would differ from
run to run. Knows nothing of activations or norms.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.moe_blocks import ExpertBlocks, work_of
from infill_kernels.moe_configs import TileConfig
from infill_kernels.moe_tiles import block_and_tile, expert_and_pairs, grouped_product
from infill_kernels.moe_weights import ExpertMatrices, two_units

# ruff: noqa: N803  (a kernel's constants are in capitals)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


def down(
    inner: Tensor,
    weights: ExpertMatrices,
    routing_weights: Tensor | None,
    blocks: ExpertBlocks | None,
    config: TileConfig,
) -> Tensor:
    """down(inner) * routing weight, of every (row, choice) pair.

    Synchronizes: no. Sums are float32 and rounded once, after the routing weight.

    Args:
        inner: [N * K, I], contiguous, in the order of pairs.
        weights: [X, E, I] in any format.
        routing_weights: [N, K] float32, contiguous; None without blocks: all are 1.
        blocks: the pairs sorted by expert, `config.block_m` a block; None when X is 1 and every row
            its only pair, so that there is nothing to sort. N may not be 0 then.
        config: block sizes.

    Returns:
        [N, K, E] in the dtype of `inner`.

    Raises:
        ValueError: shapes, strides, dtypes or block sizes do not fit each other.
    """
    _, size, num_inner = weights.shape
    work = work_of(weights, inner.shape[0], blocks, config)
    if inner.shape != (work.num_pairs, num_inner) or not inner.is_contiguous():
        raise ValueError(f"inner must be contiguous [{work.num_pairs}, {num_inner}]")
    shape = (work.num_pairs // work.num_chosen, work.num_chosen)
    if (routing_weights is None) != (blocks is None):
        raise ValueError("routing weights and blocks come together or not at all")
    if routing_weights is not None:
        _check_routing(routing_weights, shape)
    weights.check_for(inner)
    out = torch.empty(*shape, size, dtype=inner.dtype, device=inner.device)
    grid = (work.num_blocks * triton.cdiv(size, config.block_n),)
    _down_kernel[grid](
        inner,
        weights.values,
        weights.scales,
        weights.scales if routing_weights is None else routing_weights,
        *work.arguments(inner),
        out,
        work.num_pairs,
        two_units(inner.dtype),
        INNER=num_inner,
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


def _check_routing(routing_weights: Tensor, shape: tuple[int, int]) -> None:
    if routing_weights.shape != shape or not routing_weights.is_contiguous():
        raise ValueError(f"routing weights must be contiguous {shape}: {routing_weights.shape}")
    if routing_weights.dtype != torch.float32:
        raise ValueError(f"routing weights must be float32, not {routing_weights.dtype}")


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
    IS_SORTED: tl.constexpr,
) -> None:
    num_tiles: tl.constexpr = (SIZE + BLOCK_N - 1) // BLOCK_N
    block, tile, num_blocks = block_and_tile(
        num_blocks_ptr, num_pairs, num_tiles, BLOCK_M, IS_SORTED
    )
    if block >= num_blocks:
        return
    columns = tile * BLOCK_N + tl.arange(0, BLOCK_N)
    expert, pairs = expert_and_pairs(block, pairs_ptr, experts_ptr, BLOCK_M, IS_SORTED)
    is_pair = pairs < num_pairs
    dtype: tl.constexpr = inner_ptr.dtype.element_ty
    row_ptrs = inner_ptr + pairs.to(tl.int64)[:, None] * INNER
    total = grouped_product(
        row_ptrs, is_pair, weight_ptr, scale_ptr, expert, columns, two_units,
        SIZE, INNER, BLOCK_M, BLOCK_N, BLOCK_K, FORMAT, GROUP, IS_SWAPPED, dtype,
    )  # fmt: skip
    if IS_SORTED:
        total = total * tl.load(routing_ptr + pairs, mask=is_pair, other=0.0)[:, None]
    out_ptrs = out_ptr + pairs.to(tl.int64)[:, None] * SIZE + columns[None, :]
    mask = is_pair[:, None] & (columns < SIZE)[None, :]
    tl.store(out_ptrs, total.to(dtype), mask=mask)
