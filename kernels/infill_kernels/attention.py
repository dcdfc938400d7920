"""Grouped-query attention with scale 1: queries and keys arrive normalised.

And the cache it reads, which new keys and values are stored in. Knows nothing of prompts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from infill_kernels.backend import uses_triton

LARGEST_FP8 = 448.0
"""Of float8_e4m3fn, which has no infinity."""


class OwnCaches(NamedTuple):
    """A cache of one layer for each row, of B rows: said for the reference, and for a kernel."""

    keys: Sequence[Tensor]  # B of [1, G, capacity, D], contiguous, all of one dtype and capacity
    values: Sequence[Tensor]  # likewise
    addresses: Tensor  # [2, B] int64 on the device: where these begin; all that a kernel reads
    num_cached: Tensor  # [B] int32 on the device, 0 to capacity: tokens valid in each


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(query @ key^T + mask) @ value, each key-value head serving H / G query heads.

    Args:
        query: [B, H, T, D].
        key: [B, G, S, D].
        value: [B, G, S, D].
        mask: bool, broadcastable to [B, H, T, S], True where a query may look; None sees all.

    Returns:
        [B, H, T, D] in the dtype of `query`.
    """
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=1.0, enable_gqa=query.shape[1] != key.shape[1]
    )


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
) -> Tensor:
    """Attention of new tokens over the valid part of a cache and over themselves.

    Token t of this pass stands at position num_cached + t. In a prefill (causal) it sees what is
    not after it and less than `window` before it. In a canvas it sees all the pass's own tokens,
    and of the cache the last window - 1, wherever it stands itself: so the published model
    truncates its cache. `cached_attention` does it on a GPU, where nothing waits; the plain
    reference here waits for the lengths.

    Args:
        query: [B, T, H, D].
        key: [B, T, G, D], this pass's own.
        value: [B, T, G, D].
        cache_key: [1 or B, G, capacity, D], same dtype or float8_e4m3fn.
        cache_value: like `cache_key`.
        num_cached: [1] int32, 0 to capacity: tokens that are valid in the cache.
        is_causal: whether this is a prefill rather than a canvas.
        window: of sliding layers, > 0; None sees all.
        num_new: [1] int32: own tokens that count, the rest is padding; None for all T.

    Returns:
        [B, T, H, D] in the dtype of `query`. Rows beyond `num_new` may hold anything.
    """
    if uses_triton(query, key, value):
        from infill_kernels import cached_attention

        return cached_attention.attend_cached(
            query, key, value, cache_key, cache_value, num_cached, is_causal, window, num_new
        )
    batch, num_tokens = query.shape[:2]
    cached = int(num_cached.item())
    new = num_tokens if num_new is None else int(num_new.item())
    own = torch.arange(num_tokens, device=query.device)[:, None]  # of queries, relative to the pass
    seen = torch.arange(-cached, new, device=query.device)[None, :]  # of keys
    mask = torch.ones(num_tokens, cached + new, dtype=torch.bool, device=query.device)
    if is_causal:
        mask = seen <= own if window is None else (seen <= own) & (own - seen < window)
    elif window is not None:
        mask = (seen >= -(window - 1)).expand(num_tokens, -1)

    def joined(cache: Tensor, new_rows: Tensor) -> Tensor:
        valid = cache[:, :, :cached].to(query.dtype).expand(batch, -1, -1, -1)
        return torch.cat([valid, new_rows[:, :new].transpose(1, 2)], dim=2)

    keys, values = joined(cache_key, key), joined(cache_value, value)
    return attend(query.transpose(1, 2), keys, values, mask).transpose(1, 2)


def attend_own_caches(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    caches: OwnCaches,
    is_causal: bool,
    window: int | None,
    num_new: Tensor | None = None,
) -> Tensor:
    """`attend_cached`, each row over a cache of its own.

    In a CUDA graph the addresses may be others at every replay; the tensors then stand only for
    how these caches are laid out.

    Args:
        query: [B, T, H, D].
        key: [B, T, G, D], this pass's own.
        value: [B, T, G, D].
        caches: one for each row.
        is_causal: whether this is a prefill rather than a canvas.
        window: of sliding layers, > 0; None sees all.
        num_new: [1] int32: own tokens of each row that count; None for all T.

    Returns:
        [B, T, H, D] in the dtype of `query`. Rows beyond `num_new` may hold anything.
    """
    if uses_triton(query, key, value):
        from infill_kernels import cached_attention

        layout = caches.keys[0]
        return cached_attention.attend_cached(
            query, key, value, layout, layout, caches.num_cached, is_causal, window, num_new,
            caches.addresses,
        )  # fmt: skip
    rows = [
        attend_cached(
            query[idx : idx + 1],
            key[idx : idx + 1],
            value[idx : idx + 1],
            caches.keys[idx],
            caches.values[idx],
            caches.num_cached[idx : idx + 1],
            is_causal,
            window,
            num_new,
        )
        for idx in range(len(query))
    ]
    return torch.cat(rows)


def store_keys_values(
    key: Tensor,
    value: Tensor,
    cache_key: Tensor,
    cache_value: Tensor,
    num_cached: Tensor,
    num_new: Tensor | None = None,
) -> None:
    """Write new keys and values behind the valid ones of a cache; `num_cached` is not changed.

    What does not fit in fp8 is stored as its largest number. `cache_store` does it on a GPU, where
    nothing waits; the plain reference here waits for the lengths.

    Args:
        key: [1, T, G, D].
        value: like `key`.
        cache_key: [1, G, capacity, D], modified; what lies beyond its end is not stored.
        cache_value: like `cache_key`.
        num_cached: [1] int32, 0 to capacity.
        num_new: [1] int32: tokens that count, the rest is padding; None for all T.
    """
    if uses_triton(key, value):
        from infill_kernels import cache_store

        cache_store.store_keys_values(key, value, cache_key, cache_value, num_cached, num_new)
        return
    begin = int(num_cached.item())
    num_tokens = key.shape[1] if num_new is None else int(num_new.item())
    end = min(begin + num_tokens, cache_key.shape[2])
    for new, cache in ((key, cache_key), (value, cache_value)):
        rows = new[:, : end - begin].transpose(1, 2)
        if cache.dtype == torch.float8_e4m3fn:
            rows = rows.clamp(-LARGEST_FP8, LARGEST_FP8)
        cache[:, :, begin:end] = rows.to(cache.dtype)


def store_in_own_cache(
    key: Tensor, value: Tensor, caches: OwnCaches, num_new: Tensor | None = None
) -> None:
    """`store_keys_values` for a single row whose cache lies at an address.

    Args:
        key: [1, T, G, D].
        value: like `key`.
        caches: one; what it stands for is modified.
        num_new: [1] int32: tokens that count, the rest is padding; None for all T.
    """
    if uses_triton(key, value):
        from infill_kernels import cache_store

        layout = caches.keys[0]
        cache_store.store_keys_values(
            key, value, layout, layout, caches.num_cached, num_new, caches.addresses
        )
        return
    store_keys_values(key, value, caches.keys[0], caches.values[0], caches.num_cached, num_new)
