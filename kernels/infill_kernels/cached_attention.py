"""Attention of new tokens over cached keys and their own, split over keys, in two launches.

A canvas of 256 gives too few programs to fill a GPU, so the visible keys of each tile of queries
are shared among several programs (flash decoding, arXiv:2311.01282) and a second, small launch
joins what they found. How many programs there are depends on shapes alone; which keys each takes
is worked out on the device from the cache's length, so that one CUDA graph serves every length and
short ones take less time. Query heads that share a key-value head lie in one tile and read it once.
Knows nothing of how keys got into the cache (`cache_store`) or of layers.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.attention_arguments import check_cached_attention
from infill_kernels.attention_configs import (
    AttentionConfig,
    choose_attention_config,
    choose_splits,
    num_processors_of,
)
from infill_kernels.attention_splits import join_splits
from infill_kernels.attention_tiles import UNSEEN, attend_keys
from infill_kernels.cache_address import at_address
from infill_kernels.moe_configs import chip_of

# ruff: noqa: N803  (a kernel's constants are in capitals)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false
# pyright: reportArgumentType=false


def attend_cached(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cache_key: Tensor,
    cache_value: Tensor,
    num_cached: Tensor,
    is_causal: bool,
    window: int | None,
    num_new: Tensor | None = None,
    addresses: Tensor | None = None,
) -> Tensor:
    """softmax(query @ keys^T) @ values over the visible keys of cache and pass, scale 1.

    What is visible is said at `infill_kernels.attention.attend_cached`, the reference. Products
    are in the dtype of `query`, sums float32. Deterministic. Synchronizes: no; may be captured in a
    CUDA graph once it has run with these shapes, and then follows `num_cached` and `num_new`.
    Memory that is not visible may hold anything, also NaN.

    Args:
        query: [B, T, H, D] bfloat16 or float16; D a power of two, 32 to 512; contiguous along D.
        key: [B, T, G, D], same dtype, contiguous along D.
        value: like `key`.
        cache_key: [1 or B, G, capacity, D], contiguous along D; same dtype or float8_e4m3fn.
        cache_value: like `cache_key`, with the same strides.
        num_cached: [1] int32 on the device, 0 to capacity: tokens that are valid in the cache.
        is_causal: whether this is a prefill rather than a canvas.
        window: of sliding layers, > 0; None sees all.
        num_new: [1] int32 on the device: own tokens that count; None for all T.
        addresses: [2, B] int64 on the device: where each row's own cached keys begin, and values,
            laid out as `cache_key`, which is [1, G, capacity, D] then and not read; `num_cached`
            is [B]. None where the cache is `cache_key` and `cache_value`.

    Returns:
        [B, T, H, D] in the dtype of `query`, contiguous. Rows beyond `num_new` may hold anything.

    Raises:
        ValueError: shapes, strides or dtypes do not fit each other, or no tile serves them.
    """
    check_cached_attention(
        query, key, value, cache_key, cache_value, num_cached, window, num_new, addresses
    )
    batch, num_tokens, num_heads, head_dim = query.shape
    num_kv_heads, capacity = cache_key.shape[1:3]
    if not query.numel():
        return torch.empty(query.shape, dtype=query.dtype, device=query.device)
    config = choose_attention_config(chip_of(query.device), head_dim)
    heads = num_heads // num_kv_heads
    if heads > config.block_m:
        raise ValueError(f"{heads} query heads a key-value head, {config.block_m} rows a tile")
    num_tiles = -(-num_tokens // (config.block_m // heads)) * batch * num_kv_heads
    most_keys = num_tokens + (capacity if window is None else min(capacity, window))
    num_splits = choose_splits(
        num_tiles, most_keys, config.block_n, num_processors_of(query.device)
    )
    return attend_in_tiles(
        query, key, value, cache_key, cache_value, num_cached, is_causal, window, num_new,
        config, num_splits, addresses,
    )  # fmt: skip


def attend_in_tiles(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cache_key: Tensor,
    cache_value: Tensor,
    num_cached: Tensor,
    is_causal: bool,
    window: int | None,
    num_new: Tensor | None,
    config: AttentionConfig,
    num_splits: int,
    addresses: Tensor | None = None,
) -> Tensor:
    """`attend_cached` of checked tensors with given sizes, for it, tests and tuning.

    `config.block_m` must be no less than H / G.
    """
    batch, num_tokens, num_heads, head_dim = query.shape
    num_kv_heads = cache_key.shape[1]
    heads = num_heads // num_kv_heads
    is_float8 = cache_key.dtype == torch.float8_e4m3fn
    if is_float8:
        cache_key, cache_value = cache_key.view(torch.uint8), cache_value.view(torch.uint8)
    num_rows = batch * num_tokens * num_heads
    partial = (num_splits, num_rows)
    out_dtype = query.dtype if num_splits == 1 else torch.float32
    out = torch.empty(*partial, head_dim, dtype=out_dtype, device=query.device)
    mass = torch.empty(partial, dtype=torch.float32, device=query.device)
    largest = torch.empty(partial, dtype=torch.float32, device=query.device)
    num_tiles = triton.cdiv(num_tokens, config.block_m // heads)
    _attend_kernel[(num_tiles, num_splits, batch * num_kv_heads)](
        query,
        key,
        value,
        cache_key,
        cache_value,
        num_cached if addresses is None else addresses,
        num_cached,
        num_cached if num_new is None else num_new,
        out,
        mass,
        largest,
        num_tokens,
        num_rows,
        *query.stride()[:3],
        *key.stride()[:3],
        *value.stride()[:3],
        0 if cache_key.shape[0] == 1 else cache_key.stride(0),
        *cache_key.stride()[1:3],
        KV_HEADS=num_kv_heads,
        HEADS=heads,
        HEAD_DIM=head_dim,
        WINDOW=window or 0,
        IS_CAUSAL=is_causal,
        IS_PADDED=num_new is not None,
        IS_FLOAT8=is_float8,
        OWN_CACHES=addresses is not None,
        NUM_SPLITS=num_splits,
        BLOCK_M=config.block_m,
        BLOCK_N=config.block_n,
        num_warps=config.num_warps,
        num_stages=config.num_stages,
    )
    if num_splits > 1:
        out = join_splits(out, mass, largest, query.dtype)
    return out.view(query.shape)


@triton.jit
def _attend_kernel(
    query_ptr: tl.tensor,  # [B, T, H, D]
    key_ptr: tl.tensor,  # [B, T, G, D]
    value_ptr: tl.tensor,  # [B, T, G, D]
    cache_key_ptr: tl.tensor,  # [1 or B, G, capacity, D]; of own caches any one
    cache_value_ptr: tl.tensor,  # like it, with the same strides
    addresses_ptr: tl.tensor,  # [2, B] int64, of own caches
    num_cached_ptr: tl.tensor,  # [1] int32, or [B]
    num_new_ptr: tl.tensor,  # [1] int32
    out_ptr: tl.tensor,  # [splits, B, T, H, D], or without splits
    mass_ptr: tl.tensor,  # [splits, B, T, H] float32
    largest_ptr: tl.tensor,  # [splits, B, T, H] float32
    num_tokens: tl.tensor,
    num_rows: tl.tensor,
    query_batch_stride: tl.tensor,
    query_token_stride: tl.tensor,
    query_head_stride: tl.tensor,
    key_batch_stride: tl.tensor,
    key_token_stride: tl.tensor,
    key_head_stride: tl.tensor,
    value_batch_stride: tl.tensor,
    value_token_stride: tl.tensor,
    value_head_stride: tl.tensor,
    cache_batch_stride: tl.tensor,
    cache_head_stride: tl.tensor,
    cache_token_stride: tl.tensor,
    KV_HEADS: tl.constexpr,
    HEADS: tl.constexpr,  # query heads for each
    HEAD_DIM: tl.constexpr,
    WINDOW: tl.constexpr,  # 0 is none
    IS_CAUSAL: tl.constexpr,
    IS_PADDED: tl.constexpr,
    IS_FLOAT8: tl.constexpr,
    OWN_CACHES: tl.constexpr,  # each row's, at addresses
    NUM_SPLITS: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
) -> None:
    tile_tokens: tl.constexpr = BLOCK_M // HEADS
    first_token = tl.program_id(0) * tile_tokens
    split = tl.program_id(1)
    batch = (tl.program_id(2) // KV_HEADS).to(tl.int64)
    kv_head = (tl.program_id(2) % KV_HEADS).to(tl.int64)
    num_new = num_tokens
    if IS_PADDED:
        num_new = tl.minimum(num_new, tl.load(num_new_ptr))
    cached_keys = cache_key_ptr
    cached_values = cache_value_ptr
    if OWN_CACHES:
        num_cached = tl.load(num_cached_ptr + batch)
        cached_keys = at_address(cache_key_ptr, addresses_ptr + batch)
        values_begin = tl.num_programs(2) // KV_HEADS
        cached_values = at_address(cache_value_ptr, addresses_ptr + values_begin + batch)
    else:
        num_cached = tl.load(num_cached_ptr)

    # What this tile may see of either memory, and this program's share of it in blocks.
    cached_begin = 0
    own_begin = 0
    own_end = num_new
    if WINDOW > 0:
        cached_begin = num_cached - (WINDOW - 1)
        if IS_CAUSAL:
            cached_begin += first_token
            own_begin = tl.maximum(first_token - (WINDOW - 1), 0)
        cached_begin = tl.maximum(cached_begin, 0)
    if IS_CAUSAL:
        own_end = tl.minimum(own_end, first_token + tile_tokens)
    cached_blocks = tl.cdiv(tl.maximum(num_cached - cached_begin, 0), BLOCK_N)
    num_blocks = cached_blocks + tl.cdiv(tl.maximum(own_end - own_begin, 0), BLOCK_N)
    share = tl.cdiv(num_blocks, NUM_SPLITS)
    first_block = split * share
    last_block = tl.minimum(first_block + share, num_blocks)

    rows = tl.arange(0, BLOCK_M)
    tokens = first_token + rows // HEADS
    heads = kv_head * HEADS + rows % HEADS
    is_row = (rows < tile_tokens * HEADS) & (tokens < num_tokens)
    half: tl.constexpr = HEAD_DIM // 2
    dims = tl.arange(0, half)
    query_ptrs = query_ptr + batch * query_batch_stride + tokens[:, None] * query_token_stride
    query_ptrs += heads[:, None] * query_head_stride + dims[None, :]
    query_low = tl.load(query_ptrs, mask=is_row[:, None], other=0.0)
    query_high = tl.load(query_ptrs + half, mask=is_row[:, None], other=0.0)

    low = tl.zeros((BLOCK_M, half), tl.float32)
    high = tl.zeros((BLOCK_M, half), tl.float32)
    mass = tl.zeros((BLOCK_M,), tl.float32)
    largest = tl.full((BLOCK_M,), UNSEEN, tl.float32)
    cache_offset = batch * cache_batch_stride + kv_head * cache_head_stride
    low, high, mass, largest = attend_keys(
        query_low, query_high, first_token,
        cached_keys + cache_offset, cached_values + cache_offset,
        cache_token_stride, cache_token_stride, cached_begin, num_cached,
        first_block, tl.minimum(last_block, cached_blocks), num_cached, low, high, mass, largest,
        HEADS, HEAD_DIM, WINDOW, IS_CAUSAL, IS_FLOAT8, BLOCK_M, BLOCK_N,
    )  # fmt: skip
    low, high, mass, largest = attend_keys(
        query_low, query_high, first_token,
        key_ptr + batch * key_batch_stride + kv_head * key_head_stride,
        value_ptr + batch * value_batch_stride + kv_head * value_head_stride,
        key_token_stride, value_token_stride, own_begin, own_end,
        tl.maximum(first_block - cached_blocks, 0), last_block - cached_blocks, 0,
        low, high, mass, largest,
        HEADS, HEAD_DIM, WINDOW, IS_CAUSAL, False, BLOCK_M, BLOCK_N,
    )  # fmt: skip

    out_rows = (batch * num_tokens + tokens) * (KV_HEADS * HEADS) + heads
    if NUM_SPLITS == 1:
        inverse = 1.0 / tl.maximum(mass, 1.0)  # as it is where a key is seen
        low *= inverse[:, None]
    else:
        out_rows += split.to(tl.int64) * num_rows
        tl.store(mass_ptr + out_rows, mass, mask=is_row)
        tl.store(largest_ptr + out_rows, largest, mask=is_row)
        is_row = is_row & (first_block < last_block)  # nobody reads what has no mass
    out_ptrs = out_ptr + out_rows[:, None] * HEAD_DIM + dims[None, :]
    tl.store(out_ptrs, low.to(out_ptr.dtype.element_ty), mask=is_row[:, None])
    if NUM_SPLITS == 1:
        high *= inverse[:, None]
    tl.store(out_ptrs + half, high.to(out_ptr.dtype.element_ty), mask=is_row[:, None])
