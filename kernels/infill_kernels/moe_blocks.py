"""Sort (row, choice) pairs by expert into blocks of equal height, in one launch.

Each block of rows belongs to one expert, so that a grouped product reads that expert's weights for
all of them at once. Sizes depend on shapes alone, never on the routing: nothing is asked of the GPU
and a CUDA graph can hold it. Knows nothing of what the experts compute.
"""

from typing import NamedTuple

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.moe_configs import TileConfig
from infill_kernels.moe_weights import ExpertMatrices

# ruff: noqa: N803  (a kernel's constants are in capitals)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


class ExpertBlocks(NamedTuple):
    """Pairs (row * K + choice) sorted by expert; within one expert in ascending order."""

    pairs: Tensor  # [max_blocks * block_m] int32; N * K fills up an expert's last block
    experts: Tensor  # [max_blocks] int32, the expert of each block
    num_blocks: Tensor  # [1] int32; what lies beyond these many blocks is not set
    block_m: int
    num_pairs: int  # N * K
    num_chosen: int  # K

    @property
    def max_blocks(self) -> int:
        """How many blocks there are at most, whatever the routing."""
        return self.experts.shape[0]


class Work(NamedTuple):
    """How much a grouped product has to do, sorted or not."""

    blocks: ExpertBlocks | None
    num_pairs: int
    num_chosen: int
    num_blocks: int  # at most

    def arguments(self, unused: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pairs, experts and number of blocks for a kernel; `unused` where it reads none."""
        return (unused, unused, unused) if self.blocks is None else self.blocks[:3]


def work_of(
    weights: ExpertMatrices, num_rows: int, blocks: ExpertBlocks | None, config: TileConfig
) -> Work:
    """What a product of sorted pairs has to do, or, without blocks, one of all rows by one matrix.

    Raises:
        ValueError: block sizes do not fit, or there are several experts and no blocks.
    """
    if blocks is None:
        if weights.shape[0] != 1:
            raise ValueError(f"rows of {weights.shape[0]} experts must be sorted into blocks")
        config.check(weights, config.block_m)
        return Work(None, num_rows, 1, -(-num_rows // config.block_m))
    config.check(weights, blocks.block_m)
    return Work(blocks, blocks.num_pairs, blocks.num_chosen, blocks.max_blocks)


def most_blocks(num_pairs: int, num_experts: int, block_m: int) -> int:
    """The largest possible sum of ceil(pairs of an expert / block_m)."""
    touched = min(num_pairs, num_experts)
    return (num_pairs + touched * (block_m - 1)) // block_m


def sort_into_blocks(expert_idx: Tensor, num_experts: int, block_m: int) -> ExpertBlocks:
    """Sort the choices of all rows by expert, each expert's part padded to whole blocks.

    Deterministic. Synchronizes: no.

    Args:
        expert_idx: [N, K] int64 or int32, contiguous; 0 to X - 1 (others are left out).
        num_experts: X, 1 or more.
        block_m: rows a block, a power of two.

    Raises:
        ValueError: not a contiguous integer matrix, or `block_m` is no power of two.
    """
    if expert_idx.ndim != 2 or not expert_idx.is_contiguous() or expert_idx.is_floating_point():
        raise ValueError(f"expert_idx must be a contiguous [N, K] of integers: {expert_idx.shape}")
    if block_m < 1 or block_m & (block_m - 1):
        raise ValueError(f"block_m must be a power of two, not {block_m}")
    num_pairs = expert_idx.numel()
    max_blocks = most_blocks(num_pairs, num_experts, block_m)
    device = expert_idx.device
    pairs = torch.empty(max_blocks * block_m, dtype=torch.int32, device=device)
    experts = torch.empty(max_blocks, dtype=torch.int32, device=device)
    num_blocks = torch.empty(1, dtype=torch.int32, device=device)
    _sort_kernel[(num_experts,)](
        expert_idx,
        pairs,
        experts,
        num_blocks,
        num_pairs,
        NUM_EXPERTS=num_experts,
        NUM_BINS=max(16, triton.next_power_of_2(num_experts)),
        BLOCK_M=block_m,
        CHUNK=min(2048, max(128, triton.next_power_of_2(num_pairs))),
        num_warps=8,
    )
    return ExpertBlocks(pairs, experts, num_blocks, block_m, num_pairs, expert_idx.shape[1])


@triton.jit
def _sort_kernel(
    expert_idx_ptr: tl.tensor,  # [N * K]
    pairs_ptr: tl.tensor,
    experts_ptr: tl.tensor,
    num_blocks_ptr: tl.tensor,
    num_pairs: tl.tensor,
    NUM_EXPERTS: tl.constexpr,
    NUM_BINS: tl.constexpr,
    BLOCK_M: tl.constexpr,
    CHUNK: tl.constexpr,
) -> None:
    """One program per expert; each counts all pairs, which is cheaper than waiting for others."""
    expert = tl.program_id(0)
    bins = tl.arange(0, NUM_BINS)
    counts = tl.zeros((NUM_BINS,), tl.int32)
    for begin in range(0, num_pairs, CHUNK):
        pair = begin + tl.arange(0, CHUNK)
        chosen = tl.load(expert_idx_ptr + pair, mask=pair < num_pairs, other=-1).to(tl.int32)
        is_one = (chosen >= 0) & (chosen < NUM_EXPERTS)
        counts += tl.histogram(tl.where(is_one, chosen, 0), NUM_BINS, mask=is_one)
    blocks = (counts + BLOCK_M - 1) // BLOCK_M
    first_block = tl.sum(tl.where(bins < expert, blocks, 0))
    count = tl.sum(tl.where(bins == expert, counts, 0))
    own_blocks = (count + BLOCK_M - 1) // BLOCK_M
    if expert == NUM_EXPERTS - 1:
        tl.store(num_blocks_ptr, first_block + own_blocks)
    if count == 0:
        return

    slot = first_block * BLOCK_M
    for begin in range(0, num_pairs, CHUNK):
        pair = begin + tl.arange(0, CHUNK)
        chosen = tl.load(expert_idx_ptr + pair, mask=pair < num_pairs, other=-1).to(tl.int32)
        is_mine = (chosen == expert).to(tl.int32)
        place = slot + tl.cumsum(is_mine) - is_mine
        tl.store(pairs_ptr + place, pair, mask=is_mine != 0)
        slot += tl.sum(is_mine)
    # The rest of the last block, at most BLOCK_M - 1 slots.
    rest = slot + tl.arange(0, BLOCK_M)
    is_rest = rest < (first_block + own_blocks) * BLOCK_M
    tl.store(pairs_ptr + rest, tl.zeros((BLOCK_M,), tl.int32) + num_pairs, mask=is_rest)
    for begin in range(0, own_blocks, CHUNK):
        block = begin + tl.arange(0, CHUNK)
        values = tl.zeros((CHUNK,), tl.int32) + expert
        tl.store(experts_ptr + first_block + block, values, mask=block < own_blocks)
