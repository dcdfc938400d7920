"""Puts a pass's keys and values behind those in the cache, at a place the device knows.

So that one CUDA graph serves every length of the cache. Knows nothing of attention or of who counts
the tokens afterwards.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.cache_address import at_address
from infill_kernels.float8_bits import to_float8

# ruff: noqa: N803, SIM108, ANN202  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false
# pyright: reportArgumentType=false

_TOKENS = 8  # a program, two a warp


def store_keys_values(
    key: Tensor,
    value: Tensor,
    cache_key: Tensor,
    cache_value: Tensor,
    num_cached: Tensor,
    num_new: Tensor | None = None,
    addresses: Tensor | None = None,
) -> None:
    """Copy the pass's token t to the cache's token num_cached + t, in the cache's dtype.

    Modifies `cache_key` and `cache_value`; tokens beyond `num_new` or the capacity are left out. In
    float8_e4m3fn there is no scale: numbers beyond +-448 are clamped. Synchronizes: no.

    Args:
        key: [1, T, G, D], contiguous along D; D a power of two.
        value: like `key`, any strides of its own.
        cache_key: [1, G, capacity, D], contiguous along D, of any float dtype.
        cache_value: like `cache_key`, with the same strides.
        num_cached: [1] int32 on the device, >= 0.
        num_new: [1] int32 on the device; None for all T.
        addresses: [2, 1] int64 on the device: where the cache's keys begin, and its values, laid
            out as `cache_key`, which is not touched then. None where the cache is `cache_key` and
            `cache_value`.

    Raises:
        ValueError: shapes, strides or dtypes do not fit each other.
    """
    _, num_tokens, num_kv_heads, head_dim = key.shape
    if key.shape[0] != 1 or value.shape != key.shape or value.dtype != key.dtype:
        raise ValueError(f"key {key.shape} and value {value.shape} must be [1, T, G, D]")
    capacity = cache_key.shape[2]
    if cache_key.shape != (1, num_kv_heads, capacity, head_dim):
        raise ValueError(f"cache {cache_key.shape} does not fit key {key.shape}")
    if (cache_value.shape, cache_value.stride(), cache_value.dtype) != (
        cache_key.shape, cache_key.stride(), cache_key.dtype,
    ):  # fmt: skip
        raise ValueError("cached keys and values must be laid out alike")
    if any(x.stride(3) != 1 for x in (key, value, cache_key)) or head_dim & (head_dim - 1):
        raise ValueError(f"all must be contiguous along D, a power of two: {head_dim}")
    for count in (num_cached, num_new):
        if count is not None and (count.dtype != torch.int32 or count.numel() != 1):
            raise ValueError("num_cached and num_new must be one int32 each")
    if addresses is not None and (
        addresses.shape != (2, 1) or addresses.dtype != torch.int64 or not cache_key.is_contiguous()
    ):
        raise ValueError(f"addresses must be [2, 1] of int64, of what is contiguous: {addresses}")
    if not key.numel():
        return  # a grid of no programs is an error
    is_float8 = cache_key.dtype == torch.float8_e4m3fn
    if is_float8:
        cache_key, cache_value = cache_key.view(torch.uint8), cache_value.view(torch.uint8)
    _store_kernel[(triton.cdiv(num_tokens, _TOKENS), num_kv_heads)](
        key,
        value,
        cache_key,
        cache_value,
        num_cached if addresses is None else addresses,
        num_cached,
        num_cached if num_new is None else num_new,
        num_tokens,
        capacity,
        *key.stride()[1:3],
        *value.stride()[1:3],
        *cache_key.stride()[1:3],
        HEAD_DIM=head_dim,
        IS_PADDED=num_new is not None,
        IS_FLOAT8=is_float8,
        AT_ADDRESS=addresses is not None,
        TOKENS=_TOKENS,
        num_warps=4,
    )


@triton.jit
def _stored(x: tl.tensor, IS_FLOAT8: tl.constexpr, DTYPE: tl.constexpr):
    if IS_FLOAT8:
        x = to_float8(x.to(tl.float32))
    else:
        x = x.to(DTYPE)
    return x


@triton.jit
def _store_kernel(
    key_ptr: tl.tensor,  # [T, G, D]
    value_ptr: tl.tensor,  # [T, G, D]
    cache_key_ptr: tl.tensor,  # [G, capacity, D]; at addresses any one
    cache_value_ptr: tl.tensor,  # like it, with the same strides
    addresses_ptr: tl.tensor,  # [2] int64, where wanted
    num_cached_ptr: tl.tensor,  # [1] int32
    num_new_ptr: tl.tensor,  # [1] int32
    num_tokens: tl.tensor,
    capacity: tl.tensor,
    key_token_stride: tl.tensor,
    key_head_stride: tl.tensor,
    value_token_stride: tl.tensor,
    value_head_stride: tl.tensor,
    cache_head_stride: tl.tensor,
    cache_token_stride: tl.tensor,
    HEAD_DIM: tl.constexpr,
    IS_PADDED: tl.constexpr,
    IS_FLOAT8: tl.constexpr,
    AT_ADDRESS: tl.constexpr,
    TOKENS: tl.constexpr,
) -> None:
    tokens = tl.program_id(0).to(tl.int64) * TOKENS + tl.arange(0, TOKENS)
    head = tl.program_id(1).to(tl.int64)
    places = tl.load(num_cached_ptr) + tokens
    num_new = num_tokens
    if IS_PADDED:
        num_new = tl.minimum(num_new, tl.load(num_new_ptr))
    mask = ((tokens < num_new) & (places < capacity))[:, None]
    dims = tl.arange(0, HEAD_DIM)[None, :]
    key_ptrs = key_ptr + head * key_head_stride + tokens[:, None] * key_token_stride + dims
    value_ptrs = value_ptr + head * value_head_stride + tokens[:, None] * value_token_stride + dims
    offsets = head * cache_head_stride + places[:, None] * cache_token_stride + dims
    dtype: tl.constexpr = cache_key_ptr.dtype.element_ty
    cached_keys = cache_key_ptr
    cached_values = cache_value_ptr
    if AT_ADDRESS:
        cached_keys = at_address(cache_key_ptr, addresses_ptr)
        cached_values = at_address(cache_value_ptr, addresses_ptr + 1)
    key = _stored(tl.load(key_ptrs, mask=mask, other=0.0), IS_FLOAT8, dtype)
    tl.store(cached_keys + offsets, key, mask=mask)
    value = _stored(tl.load(value_ptrs, mask=mask, other=0.0), IS_FLOAT8, dtype)
    tl.store(cached_values + offsets, value, mask=mask)
