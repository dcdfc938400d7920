"""Second launch of cached attention: joins what the programs that shared a tile's keys found.

Each split brings unnormalised sums, their mass (the sum of weights) and the largest score that
both are relative to. They are added in order, so the same input always gives the same bits. Knows
nothing of keys.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.attention_tiles import UNSEEN

# ruff: noqa: N803  (a kernel's constants are in capitals)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


def join_splits(totals: Tensor, mass: Tensor, largest: Tensor, dtype: torch.dtype) -> Tensor:
    """sum(totals * 2^(largest - max)) / sum(mass * 2^(largest - max)) over the splits.

    Synchronizes: no.

    Args:
        totals: [splits, N, D] float32, contiguous; not read where its split has no mass.
        mass: [splits, N] float32, contiguous, >= 0.
        largest: [splits, N] float32, contiguous, scores times log2(e).
        dtype: of the result.

    Returns:
        [N, D].
    """
    num_splits, num_rows, head_dim = totals.shape
    out = torch.empty(num_rows, head_dim, dtype=dtype, device=totals.device)
    rows_per_program = 4  # one row a warp
    _join_kernel[(triton.cdiv(num_rows, rows_per_program),)](
        totals,
        mass,
        largest,
        out,
        num_rows,
        HEAD_DIM=head_dim,
        NUM_SPLITS=num_splits,
        ROWS=rows_per_program,
        num_warps=4,
    )
    return out


@triton.jit
def _join_kernel(
    totals_ptr: tl.tensor,  # [splits, N, D] float32, N = B * T * H
    mass_ptr: tl.tensor,  # [splits, N] float32
    largest_ptr: tl.tensor,  # [splits, N] float32
    out_ptr: tl.tensor,  # [N, D]
    num_rows: tl.tensor,
    HEAD_DIM: tl.constexpr,
    NUM_SPLITS: tl.constexpr,
    ROWS: tl.constexpr,
) -> None:
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    is_row = rows < num_rows
    dims = tl.arange(0, HEAD_DIM)
    total = tl.zeros((ROWS, HEAD_DIM), tl.float32)
    mass = tl.zeros((ROWS,), tl.float32)
    largest = tl.full((ROWS,), UNSEEN, tl.float32)
    for split in range(NUM_SPLITS):
        places = split * num_rows + rows
        split_mass = tl.load(mass_ptr + places, mask=is_row, other=0.0)
        split_largest = tl.load(largest_ptr + places, mask=is_row, other=UNSEEN)
        new_largest = tl.maximum(largest, split_largest)
        shrink = tl.exp2(largest - new_largest)
        weight = tl.exp2(split_largest - new_largest)
        places = totals_ptr + places[:, None] * HEAD_DIM + dims[None, :]
        split_total = tl.load(places, mask=(is_row & (split_mass > 0))[:, None], other=0.0)
        total = total * shrink[:, None] + split_total * weight[:, None]
        mass = mass * shrink + split_mass * weight
        largest = new_largest
    places = out_ptr + rows[:, None] * HEAD_DIM + dims[None, :]
    total /= tl.maximum(mass, 1.0)[:, None]  # as it is where a key is seen
    tl.store(places, total.to(out_ptr.dtype.element_ty), mask=is_row[:, None])
