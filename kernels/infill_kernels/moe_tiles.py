"""Pieces shared by the two grouped products of the Triton mixture of experts.

Which rows and weights a program has, and the loop that multiplies them. Knows nothing of routing
weights or of what the products are for; `weight_tiles` reads the weights.
"""

# ruff: noqa: N803, SIM300, ANN201, ANN202  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know no constants.
# pyright: reportAssignmentType=false, reportMissingImports=false

import triton
from triton import language as tl

from infill_kernels.weight_tiles import (
    DENSE,
    FLOAT8,
    INT4_ZEROS,
    NVFP4,
    float8_factor,
    weight_tile,
)


@triton.jit
def _add_product(total: tl.tensor, x: tl.tensor, tile: tl.tensor, IS_SWAPPED: tl.constexpr):
    """total + x @ tile^T.

    Swapped, the sum is kept transposed, [BLOCK_ROWS, BLOCK_M]: the weights take the side of the
    tensor core whose granule is larger, which is 64 rows for Hopper's and 8 for the other side.
    """
    if IS_SWAPPED:
        total = tl.dot(tile, tl.trans(x), total, input_precision="ieee")
    else:
        total = tl.dot(x, tl.trans(tile), total, input_precision="ieee")
    return total


@triton.jit
def _finished(
    total: tl.tensor,
    scale_ptr: tl.tensor,
    rows: tl.tensor,
    NUM_ROWS: tl.constexpr,
    NUM_COLUMNS: tl.constexpr,
    FORMAT: tl.constexpr,
    GROUP: tl.constexpr,
    DTYPE: tl.constexpr,
    IS_SWAPPED: tl.constexpr,
):
    """[BLOCK_M, BLOCK_ROWS] float32, with what is constant along the matrix's rows applied."""
    if IS_SWAPPED:
        total = tl.trans(total)
    if FORMAT == NVFP4:
        words = tl.load(
            scale_ptr + (NUM_COLUMNS // 64) * NUM_ROWS + rows, mask=rows < NUM_ROWS, other=0
        )
        factor: tl.constexpr = 128.0 if DTYPE == tl.float16 else 67108864.0  # 2^7, 2^26
        total = total * (words.to(tl.float32, bitcast=True) * factor)[None, :]
    elif FORMAT != DENSE and FORMAT != INT4_ZEROS and GROUP == NUM_COLUMNS:
        scale = tl.load(scale_ptr + rows, mask=rows < NUM_ROWS, other=0.0)
        if FORMAT == FLOAT8:
            scale = scale * float8_factor(DTYPE)
        total = total * scale[None, :]
    return total


@triton.jit
def block_and_tile(
    num_blocks_ptr: tl.tensor,
    num_pairs: tl.tensor,
    NUM_TILES: tl.constexpr,
    BLOCK_M: tl.constexpr,
    IS_SORTED: tl.constexpr,
):
    """A program's block of rows and tile of the matrix, and how many blocks there are.

    Sorted, tiles of one block run side by side: they share its rows of x, and blocks of one expert
    are near enough to share its weights in L2. With a single matrix, blocks of one tile do, so that
    its weights come from memory once and x, which is smaller, from L2.
    """
    if IS_SORTED:
        num_blocks = tl.load(num_blocks_ptr)
        block = tl.program_id(0) // NUM_TILES
        tile = tl.program_id(0) % NUM_TILES
    else:
        num_blocks = (num_pairs + BLOCK_M - 1) // BLOCK_M
        block = tl.program_id(0) % num_blocks
        tile = tl.program_id(0) // num_blocks
    return block, tile, num_blocks


@triton.jit
def expert_and_pairs(
    block: tl.tensor,
    pairs_ptr: tl.tensor,
    experts_ptr: tl.tensor,
    BLOCK_M: tl.constexpr,
    IS_SORTED: tl.constexpr,
):
    """A block's expert and its pairs [BLOCK_M]; those of a single matrix are the rows in order."""
    pairs = block * BLOCK_M + tl.arange(0, BLOCK_M)
    if IS_SORTED:
        expert = tl.load(experts_ptr + block).to(tl.int64)
        pairs = tl.load(pairs_ptr + pairs)
    else:
        expert = tl.full((), 0, tl.int64)
    return expert, pairs


@triton.jit
def grouped_product(
    x_ptrs: tl.tensor,
    is_row: tl.tensor,
    weight_ptr: tl.tensor,
    scale_ptr: tl.tensor,
    expert: tl.tensor,
    rows: tl.tensor,
    two_units: tl.tensor,
    NUM_ROWS: tl.constexpr,
    NUM_COLUMNS: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_K: tl.constexpr,
    FORMAT: tl.constexpr,
    GROUP: tl.constexpr,
    IS_SWAPPED: tl.constexpr,
    DTYPE: tl.constexpr,
):
    """A block's rows of x times `rows` of its expert's matrix: [BLOCK_M, BLOCK_ROWS] float32.

    `x_ptrs` [BLOCK_M, 1] point to the beginnings of rows as long as the matrix; those that
    `is_row` [BLOCK_M] denies count as zeros. `weight_ptr` and `scale_ptr` are of all experts.
    """
    per_word: tl.constexpr = 1 if FORMAT == DENSE else (4 if FORMAT == FLOAT8 else 8)
    # Scales, or words of them, that a row of the matrix has.
    num_scales: tl.constexpr = (
        NUM_COLUMNS // 64 + 1
        if FORMAT == NVFP4
        else (NUM_COLUMNS // GROUP if FORMAT == INT4_ZEROS else (NUM_COLUMNS // GROUP + 1) // 2)
    )
    matrix_ptr = weight_ptr + expert * (NUM_ROWS * NUM_COLUMNS // per_word)
    scale_ptr += expert * (NUM_ROWS * num_scales)
    if IS_SWAPPED:
        total = tl.zeros((BLOCK_ROWS, BLOCK_M), tl.float32)
    else:
        total = tl.zeros((BLOCK_M, BLOCK_ROWS), tl.float32)
    for begin in range(0, NUM_COLUMNS, BLOCK_K):
        k = begin + tl.arange(0, BLOCK_K)
        mask = is_row[:, None]
        if NUM_COLUMNS % BLOCK_K != 0:
            mask = mask & (k < NUM_COLUMNS)[None, :]
        x = tl.load(x_ptrs + k[None, :], mask=mask, other=0.0)
        tile = weight_tile(
            matrix_ptr, scale_ptr, rows, begin, two_units,
            NUM_ROWS, NUM_COLUMNS, BLOCK_ROWS, BLOCK_K, FORMAT, GROUP, DTYPE,
        )  # fmt: skip
        total = _add_product(total, x, tile, IS_SWAPPED)
    return _finished(
        total, scale_ptr, rows, NUM_ROWS, NUM_COLUMNS, FORMAT, GROUP, DTYPE, IS_SWAPPED
    )


@triton.jit
def gelu_tanh(x: tl.tensor):
    """GELU, tanh form: x * sigmoid(2 u) with u = sqrt(2/pi) (x + 0.044715 x^3)."""
    doubled = 1.5957691216057308 * (x + 0.044715 * x * x * x)
    return x * tl.sigmoid(doubled)
