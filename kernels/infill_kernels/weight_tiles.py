"""How a tile of a matrix is read in each weight format that `moe_weights` packs.

Eight-bit and four-bit weights are stored as 32-bit words and unpacked two weights at a time: a word
is shifted and masked so that each of its 16-bit halves is already a float (arXiv:2408.11743
calls this dequantisation by bit tricks; the bits differ here). What then still differs from the
weight is a constant factor or offset, most of which is taken off outside the loop over weights.
Knows nothing of what tiles are multiplied with.
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
INT4_ZEROS = tl.constexpr(int(WeightFormat.INT4_ZEROS))
NVFP4 = tl.constexpr(int(WeightFormat.NVFP4))


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
def _nibble_halves(
    words: tl.tensor, two_units: tl.tensor, FORMAT: tl.constexpr, DTYPE: tl.constexpr
):
    """What the nibbles at bits 0 and 16 of each word stand for: exact in every type.

    Integers are set into the mantissa of 128 (float16: 1024), where the unit is the mantissa's last
    place; with zero points the 128 stays for `_without_zeros`. e2m1 numbers come out times 2^-126
    (float16: 2^-14), as they have fewer exponent bits and the same meaning of zero exponents.
    """
    if FORMAT == NVFP4:
        if DTYPE == tl.float16:
            moved = (words << 9) & 0x0E000E00
        else:
            moved = (words << 6) & 0x01C001C0
        halves = _halves(((words << 12) & -2147450880) | moved, DTYPE)
    elif FORMAT == INT4_ZEROS:
        halves = _halves((words & 0x000F000F) | two_units, DTYPE)
    else:
        offset: tl.constexpr = 1032.0 if DTYPE == tl.float16 else 136.0
        halves = _halves((words & 0x000F000F) | two_units, DTYPE) - offset
    return halves


@triton.jit
def weight_tile(
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
        first = _nibble_halves(words, two_units, FORMAT, DTYPE)
        second = _nibble_halves(words >> 4, two_units, FORMAT, DTYPE)
        third = _nibble_halves(words >> 8, two_units, FORMAT, DTYPE)
        fourth = _nibble_halves(words >> 12, two_units, FORMAT, DTYPE)
        # [R, W, half, low bit of pair, high bit of pair] to [R, W, high, low, half] to [R, 8 W].
        pairs = tl.join(tl.join(first, second), tl.join(third, fourth))
        tile = tl.permute(pairs, (0, 1, 4, 3, 2)).reshape(BLOCK_ROWS, BLOCK_K)
    if FORMAT == NVFP4:
        word = tl.load(scale_ptr + (begin // 64) * NUM_ROWS + rows)
        tile = _by_group(tile, _nvfp4_scales(word, DTYPE), True, BLOCK_ROWS, BLOCK_K, 4)
    elif FORMAT == INT4_ZEROS:
        tile = _without_zeros(
            tile, scale_ptr, rows, begin, NUM_ROWS, BLOCK_ROWS, BLOCK_K, GROUP, DTYPE
        )
    elif GROUP < NUM_COLUMNS:
        group = begin // GROUP
        both = tl.load(scale_ptr + (group // 2) * NUM_ROWS + rows)
        if BLOCK_K > GROUP:  # two groups, and both of their scales in the word
            scale = _halves(both, tl.float32)
        else:
            scale = ((both >> (16 * (group % 2))) << 16).to(tl.float32, bitcast=True)
        if FORMAT == FLOAT8:
            scale = scale * float8_factor(DTYPE)
        if BLOCK_K > GROUP:
            tile = _by_group(tile, scale.to(DTYPE), True, BLOCK_ROWS, BLOCK_K, 2)
        else:
            tile = tile * scale.to(DTYPE)[:, None]
    return tile


@triton.jit
def _by_group(
    tile: tl.tensor,
    numbers: tl.tensor,
    IS_FACTOR: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_K: tl.constexpr,
    NUM_GROUPS: tl.constexpr,
):
    """A tile times, or less, one number [BLOCK_ROWS, NUM_GROUPS] for each group of a row."""
    groups = tile.reshape(BLOCK_ROWS, NUM_GROUPS, BLOCK_K // NUM_GROUPS)
    if IS_FACTOR:
        groups = groups * numbers[:, :, None]
    else:
        groups = groups - numbers[:, :, None]
    return groups.reshape(BLOCK_ROWS, BLOCK_K)


@triton.jit
def _without_zeros(
    tile: tl.tensor,
    scale_ptr: tl.tensor,
    rows: tl.tensor,
    begin: tl.tensor,
    NUM_ROWS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_K: tl.constexpr,
    GROUP: tl.constexpr,
    DTYPE: tl.constexpr,
):
    """(tile - offset) * scale, both of a group; the difference is exact."""
    num_groups: tl.constexpr = BLOCK_K // GROUP if BLOCK_K > GROUP else 1
    groups = begin // GROUP + tl.arange(0, num_groups)
    words = tl.load(scale_ptr + groups[None, :] * NUM_ROWS + rows[:, None])
    offset = (words << 16).to(tl.float32, bitcast=True)
    if DTYPE == tl.float16:
        offset = offset + 896.0  # numbers were set into 1024 and not 128
    scale = (words & -65536).to(tl.float32, bitcast=True)
    tile = _by_group(tile, offset.to(DTYPE), False, BLOCK_ROWS, BLOCK_K, num_groups)
    return _by_group(tile, scale.to(DTYPE), True, BLOCK_ROWS, BLOCK_K, num_groups)


@triton.jit
def _nvfp4_scales(words: tl.tensor, DTYPE: tl.constexpr):
    """[R] words of four e4m3 numbers to [R, 4], times 2^100 (float16: 2^7).

    With the tile's own factor products end 2^-26 (float16: 2^-7) off, far from what overflows.
    """
    first, second = _float8_halves(words, DTYPE), _float8_halves(words << 8, DTYPE)
    # [R, half, pair] to [R, pair, half].
    scales = tl.permute(tl.join(first, second), (0, 2, 1)).reshape(words.shape[0], 4)
    if DTYPE == tl.float16:
        scales = scales * 32768.0
    else:
        scales = (scales * 1.329227995784916e36) * 1.2676506002282294e30  # 2^120 and 2^100
    return scales


@triton.jit
def float8_factor(DTYPE: tl.constexpr):
    """What `_float8_halves` leaves out."""
    factor: tl.constexpr = 256.0 if DTYPE == tl.float16 else 1.329227995784916e36  # 2^120
    return factor
