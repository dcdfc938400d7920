"""The inner loop of cached attention: a tile of queries over some blocks of keys.

Heads are taken in two halves, in the products as in the result: as whole tiles of 512 they spill
registers. Knows nothing of which keys those are, of splits or of caches.
"""

# ruff: noqa: N803, ANN201, ANN202  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know no constants.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false, reportIndexIssue=false

import triton
from triton import language as tl

from infill_kernels.float8_bits import from_float8

UNSEEN = tl.constexpr(-1.0e30)  # the score of a key that is not visible: finite, so never NaN
_LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def _half_rows(
    memory_ptr: tl.tensor,
    keys: tl.tensor,
    is_key: tl.tensor,
    stride: tl.tensor,
    HALF: tl.constexpr,
    IS_FLOAT8: tl.constexpr,
    DTYPE: tl.constexpr,
):
    ptrs = memory_ptr + keys[:, None] * stride + tl.arange(0, HALF)[None, :]
    rows = tl.load(ptrs, mask=is_key[:, None], other=0)
    if IS_FLOAT8:
        rows = from_float8(rows, DTYPE)
    return rows


@triton.jit
def attend_keys(
    query_low: tl.tensor,
    query_high: tl.tensor,
    first_token: tl.tensor,
    key_ptr: tl.tensor,
    value_ptr: tl.tensor,
    key_stride: tl.tensor,
    value_stride: tl.tensor,
    begin: tl.tensor,
    end: tl.tensor,
    first_block: tl.tensor,
    last_block: tl.tensor,
    origin: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    mass: tl.tensor,
    largest: tl.tensor,
    HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    WINDOW: tl.constexpr,
    IS_CAUSAL: tl.constexpr,
    IS_FLOAT8: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """Add the keys of some blocks to a running softmax (arXiv:2205.14135, algorithm 1).

    Block i holds the keys from begin + i * BLOCK_N on; key j of this memory stands at token
    j - origin of the pass, which is negative for cached ones.
    """
    dtype: tl.constexpr = query_low.dtype
    half: tl.constexpr = HEAD_DIM // 2
    tokens = first_token + tl.arange(0, BLOCK_M) // HEADS
    for block in range(first_block, last_block):
        keys = begin + block * BLOCK_N + tl.arange(0, BLOCK_N)
        is_key = keys < end
        key = _half_rows(key_ptr, keys, is_key, key_stride, half, IS_FLOAT8, dtype)
        scores = tl.dot(query_low, tl.trans(key), input_precision="ieee")
        key = _half_rows(key_ptr + half, keys, is_key, key_stride, half, IS_FLOAT8, dtype)
        scores = tl.dot(query_high, tl.trans(key), scores, input_precision="ieee") * _LOG2_E
        if IS_CAUSAL:
            ago = tokens[:, None] - (keys - origin)[None, :]
            is_seen = is_key[None, :] & (ago >= 0)
            if WINDOW > 0:
                is_seen = is_seen & (ago < WINDOW)
            scores = tl.where(is_seen, scores, UNSEEN)
        else:
            scores = tl.where(is_key[None, :], scores, UNSEEN)
        new_largest = tl.maximum(largest, tl.max(scores, axis=1))
        shares = tl.exp2(scores - new_largest[:, None])
        shrink = tl.exp2(largest - new_largest)
        mass = mass * shrink + tl.sum(shares, axis=1)
        shares = shares.to(dtype)
        value = _half_rows(value_ptr, keys, is_key, value_stride, half, IS_FLOAT8, dtype)
        low = tl.dot(shares, value, low * shrink[:, None], input_precision="ieee")
        value = _half_rows(value_ptr + half, keys, is_key, value_stride, half, IS_FLOAT8, dtype)
        high = tl.dot(shares, value, high * shrink[:, None], input_precision="ieee")
        largest = new_largest
    return low, high, mass, largest
