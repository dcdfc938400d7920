"""Pieces shared by the two grouped products of the Triton mixture of experts.

How a tile of an expert's matrix is read in each weight format, multiplied and scaled. Knows
nothing of routing, activations or what the products are for; `moe_weights` packs what is read here.

Eight-bit and four-bit weights are stored as 32-bit words and unpacked two weights at a time: a word
is shifted and masked so that each of its 16-bit halves is already a float (arXiv:2408.11743
calls this dequantisation by bit tricks; the bits differ here). What then still differs from the
weight is a constant factor or offset, which is taken off outside the loop over weights.
"""

# ruff: noqa: N803, SIM108, SIM300, ANN201, ANN202  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know no constants.
# pyright: reportAssignmentType=false, reportMissingImports=false

import triton
from triton import language as tl

from infill_kernels.moe_weights import WeightFormat

DENSE = tl.constexpr(int(WeightFormat.DENSE))
FLOAT8 = tl.constexpr(int(WeightFormat.FLOAT8))
INT4 = tl.constexpr(int(WeightFormat.INT4))


@triton.jit
def _halves(packed: tl.tensor, DTYPE: tl.constexpr):
    """[..., W] words of two half-width floats to [..., W, 2] numbers, low half first."""
    if DTYPE == tl.float32:
        # The halves are bfloat16, which is the upper half of float32.
        low = (packed << 16).to(tl.float32, bitcast=True)
        high = (packed & -65536).to(tl.float32, bitcast=True)
    else:
        low = packed.to(tl.int16).to(DTYPE, bitcast=True)
        high = (packed >> 16).to(tl.int16).to(DTYPE, bitcast=True)
    return tl.join(low, high)


@triton.jit
def _float8_halves(words: tl.tensor, DTYPE: tl.constexpr):
    """The fp8 numbers in bytes 1 and 3 of each word, times 2^-120 (float16: 2^-8).

    e4m3 has fewer exponent bits than either half type and the same meaning of zero exponents, so
    moving its exponent and mantissa down from the sign is all there is to do.
    """
    if DTYPE == tl.float16:
        moved = (words >> 1) & 0x3F803F80
    else:
        moved = (words >> 4) & 0x07F007F0
    return _halves((words & -2147450880) | moved, DTYPE)  # the mask 0x80008000: both signs


@triton.jit
def _int4_halves(words: tl.tensor, two_units: tl.tensor, DTYPE: tl.constexpr):
    """The nibbles at bits 0 and 16 of each word, less 8: exact in every type.

    Set into the mantissa of 128 (float16: 1024), where the unit is the mantissa's last place.
    """
    offset: tl.constexpr = 1032.0 if DTYPE == tl.float16 else 136.0
    return _halves((words & 0x000F000F) | two_units, DTYPE) - offset


@triton.jit
def _weight_tile(
    matrix_ptr: tl.tensor,
    scale_ptr: tl.tensor,
    rows: tl.tensor,
    begin: tl.tensor,
    two_units: tl.tensor,
    NUM_ROWS: tl.constexpr,
    NUM_COLUMNS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_K: tl.constexpr,
    FORMAT: tl.constexpr,
    GROUP: tl.constexpr,
    DTYPE: tl.constexpr,
):
    """[BLOCK_ROWS, BLOCK_K] of one expert's [NUM_ROWS, NUM_COLUMNS], from column `begin` on.

    Rows beyond the matrix are read as row 0: what comes of them is never stored. Scales of groups
    of columns are applied here, one multiplication for two weights and rounded to DTYPE, rather
    than to partial sums: Triton prefetches what a product depends on, so only here the scales are
    on the chip when they are needed.
    """
    rows = tl.where(rows < NUM_ROWS, rows, 0)
    if FORMAT == DENSE:
        columns = begin + tl.arange(0, BLOCK_K)
        places = matrix_ptr + rows[:, None] * NUM_COLUMNS + columns[None, :]
        if NUM_COLUMNS % BLOCK_K == 0:
            tile = tl.load(places)
        else:
            tile = tl.load(places, mask=(columns < NUM_COLUMNS)[None, :], other=0.0)
    elif FORMAT == FLOAT8:
        columns = begin // 4 + tl.arange(0, BLOCK_K // 4)
        words = tl.load(matrix_ptr + rows[:, None] * (NUM_COLUMNS // 4) + columns[None, :])
        first, second = _float8_halves(words, DTYPE), _float8_halves(words << 8, DTYPE)
        # [R, W, half, pair] to [R, W, pair, half] to [R, 4 W].
        tile = tl.permute(tl.join(first, second), (0, 1, 3, 2)).reshape(BLOCK_ROWS, BLOCK_K)
    else:
        columns = begin // 8 + tl.arange(0, BLOCK_K // 8)
        words = tl.load(matrix_ptr + rows[:, None] * (NUM_COLUMNS // 8) + columns[None, :])
        first = _int4_halves(words, two_units, DTYPE)
        second = _int4_halves(words >> 4, two_units, DTYPE)
        third = _int4_halves(words >> 8, two_units, DTYPE)
        fourth = _int4_halves(words >> 12, two_units, DTYPE)
        # [R, W, half, low bit of pair, high bit of pair] to [R, W, high, low, half] to [R, 8 W].
        pairs = tl.join(tl.join(first, second), tl.join(third, fourth))
        tile = tl.permute(pairs, (0, 1, 4, 3, 2)).reshape(BLOCK_ROWS, BLOCK_K)
    if GROUP < NUM_COLUMNS:
        group = begin // GROUP
        both = tl.load(scale_ptr + (group // 2) * NUM_ROWS + rows)
        scale = ((both >> (16 * (group % 2))) << 16).to(tl.float32, bitcast=True)
        if FORMAT == FLOAT8:
            scale = scale * _float8_factor(DTYPE)
        tile = tile * scale.to(DTYPE)[:, None]
    return tile


@triton.jit
def _float8_factor(DTYPE: tl.constexpr):
    """What `_float8_halves` leaves out."""
    factor: tl.constexpr = 256.0 if DTYPE == tl.float16 else 1.329227995784916e36  # 2^120
    return factor


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
    if FORMAT != DENSE and GROUP == NUM_COLUMNS:
        scale = tl.load(scale_ptr + rows, mask=rows < NUM_ROWS, other=0.0)
        if FORMAT == FLOAT8:
            scale = scale * _float8_factor(DTYPE)
        total = total * scale[None, :]
    return total


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
    matrix_ptr = weight_ptr + expert * (NUM_ROWS * NUM_COLUMNS // per_word)
    scale_ptr += expert * (NUM_ROWS * ((NUM_COLUMNS // GROUP + 1) // 2))
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
        tile = _weight_tile(
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
