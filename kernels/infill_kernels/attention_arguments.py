"""What cached attention can be asked: shapes, strides and dtypes that fit each other.

Knows nothing of tiles or of what is computed.
"""

import torch
from torch import Tensor


def check_cached_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cache_key: Tensor,
    cache_value: Tensor,
    num_cached: Tensor,
    window: int | None,
    num_new: Tensor | None,
    addresses: Tensor | None,
) -> None:
    """Raise ValueError unless these fit `cached_attention.attend_cached`."""
    batch, num_tokens, num_heads, head_dim = query.shape
    num_kv_heads = key.shape[2]
    for name, own in (("key", key), ("value", value)):
        if own.shape != (batch, num_tokens, num_kv_heads, head_dim) or own.dtype != query.dtype:
            raise ValueError(f"{name} {own.shape} {own.dtype} does not fit query {query.shape}")
    if cache_key.shape[0] not in (1, batch) or num_heads % num_kv_heads:
        raise ValueError(f"{num_heads} heads share {num_kv_heads}; cache {cache_key.shape}")
    if cache_key.shape[1::2] != (num_kv_heads, head_dim):
        raise ValueError(f"cache {cache_key.shape} does not fit key {key.shape}")
    if cache_key.dtype not in (query.dtype, torch.float8_e4m3fn):
        raise ValueError(f"cache is {cache_key.dtype}, query {query.dtype}")
    if (cache_value.shape, cache_value.stride(), cache_value.dtype) != (
        cache_key.shape, cache_key.stride(), cache_key.dtype,
    ):  # fmt: skip
        raise ValueError("cached keys and values must be laid out alike")
    if any(x.stride(3) != 1 for x in (query, key, value, cache_key)):
        raise ValueError("all must be contiguous along D")
    if head_dim < 32 or head_dim & (head_dim - 1):
        raise ValueError(f"head size {head_dim} must be a power of two from 32 on")
    if window is not None and window < 1:
        raise ValueError(f"window must be positive: {window}")
    for count, num in ((num_cached, 1 if addresses is None else batch), (num_new, 1)):
        if count is not None and (count.dtype != torch.int32 or count.numel() != num):
            raise ValueError("num_cached and num_new must be one int32 each, or one a row's cache")
    if addresses is None:
        return
    if addresses.shape != (2, batch) or addresses.dtype != torch.int64:
        raise ValueError(f"addresses must be [2, {batch}] of int64: {addresses.shape}")
    if cache_key.shape[0] != 1 or not (addresses.is_contiguous() and cache_key.is_contiguous()):
        raise ValueError("addresses and each row's cache must be contiguous")
