"""`heads.prepare_heads` in one launch: norms and rotation of all heads, rounded once.

Knows nothing of projections or caches.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

# ruff: noqa: N803, ANN202  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false

_TOKENS = 4  # a program: a token a warp, and 2048 programs for a canvas of 256 in a sliding layer


def prepare_heads(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_weight: Tensor,
    key_weight: Tensor,
    cos: Tensor,
    sin: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise each head, and turn queries and keys by their positions' angles.

    As `infill_kernels.heads.prepare_heads`, but in float32 throughout and rounded once.
    Synchronizes: no.

    Args:
        query: [B, T, H, D], any strides with D contiguous; D / 2 a power of two.
        key: [B, T, G, D], as `query`.
        value: [B, T, G, D], as `query`; may be the very tensor `key`.
        query_weight: [D], contiguous.
        key_weight: [D], contiguous.
        cos: [B or 1, T, 1, D / 2], contiguous along D / 2, any float dtype.
        sin: like `cos`, with the same strides.
        eps: added to mean squares, > 0.

    Returns:
        query [B, T, H, D], key and value [B, T, G, D], new and contiguous.

    Raises:
        ValueError: shapes or strides do not fit.
    """
    batch, num_tokens, num_heads, head_dim = query.shape
    num_kv_heads = key.shape[2]
    shape = (batch, num_tokens, num_kv_heads, head_dim)
    half = head_dim // 2
    if key.shape != shape or value.shape != shape or head_dim != 2 * triton.next_power_of_2(half):
        raise ValueError(f"key {key.shape} and value {value.shape} do not fit query {query.shape}")
    if query_weight.shape != (head_dim,) or key_weight.shape != (head_dim,):
        raise ValueError(f"norms must have {head_dim} weights")
    if cos.shape[0] not in (1, batch) or cos.shape[1:] != (num_tokens, 1, half):
        raise ValueError(f"cos {cos.shape} must be [1 or {batch}, {num_tokens}, 1, {half}]")
    if sin.shape != cos.shape or sin.stride() != cos.stride():
        raise ValueError(f"sin {sin.shape} must be laid out as cos {cos.shape}")
    if any(x.stride(-1) != 1 for x in (query, key, value, query_weight, key_weight, cos)):
        raise ValueError("all must be contiguous along D")
    new_query, new_key, new_value = (
        torch.empty(x.shape, dtype=query.dtype, device=query.device) for x in (query, key, value)
    )
    if not query.numel():
        return new_query, new_key, new_value  # a grid of no programs is an error
    grid = (triton.cdiv(num_tokens, _TOKENS), num_heads + 2 * num_kv_heads, batch)
    _prepare_kernel[grid](
        query,
        key,
        value,
        query_weight,
        key_weight,
        cos,
        sin,
        new_query,
        new_key,
        new_value,
        num_tokens,
        *query.stride()[:3],
        *key.stride()[:3],
        *value.stride()[:3],
        0 if cos.shape[0] == 1 else cos.stride(0),
        cos.stride(1),
        eps,
        NUM_HEADS=num_heads,
        KV_HEADS=num_kv_heads,
        HALF=half,
        TOKENS=_TOKENS,
        num_warps=4,
    )
    return new_query, new_key, new_value


@triton.jit
def _normed_halves(
    x_ptr: tl.tensor,
    batch: tl.tensor,
    tokens: tl.tensor,
    head: tl.tensor,
    batch_stride: tl.tensor,
    token_stride: tl.tensor,
    head_stride: tl.tensor,
    is_token: tl.tensor,
    eps: tl.tensor,
    HALF: tl.constexpr,
):
    """Both halves of one head, [TOKENS, HALF] float32 each, at unit root-mean-square."""
    begin = x_ptr + batch * batch_stride + head.to(tl.int64) * head_stride
    places = begin + tokens[:, None] * token_stride + tl.arange(0, HALF)[None, :]
    low = tl.load(places, mask=is_token[:, None], other=0.0).to(tl.float32)
    high = tl.load(places + HALF, mask=is_token[:, None], other=0.0).to(tl.float32)
    square = tl.sum(low * low, axis=1) + tl.sum(high * high, axis=1)
    inverse = tl.rsqrt(square / (2 * HALF) + eps)[:, None]
    return low * inverse, high * inverse


@triton.jit
def _store_halves(
    out_ptr: tl.tensor,
    row: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    is_token: tl.tensor,
    HALF: tl.constexpr,
) -> None:
    places = out_ptr + row[:, None] * (2 * HALF) + tl.arange(0, HALF)[None, :]
    tl.store(places, low.to(out_ptr.dtype.element_ty), mask=is_token[:, None])
    tl.store(places + HALF, high.to(out_ptr.dtype.element_ty), mask=is_token[:, None])


@triton.jit
def _turned(
    low: tl.tensor,
    high: tl.tensor,
    weight_ptr: tl.tensor,
    cos_ptr: tl.tensor,
    sin_ptr: tl.tensor,
    offsets: tl.tensor,
    is_token: tl.tensor,
    HALF: tl.constexpr,
):
    """Weighted halves, rotated: pairs are one number of each."""
    dims = tl.arange(0, HALF)
    low = low * tl.load(weight_ptr + dims).to(tl.float32)[None, :]
    high = high * tl.load(weight_ptr + HALF + dims).to(tl.float32)[None, :]
    places = offsets[:, None] + dims[None, :]
    cos = tl.load(cos_ptr + places, mask=is_token[:, None], other=0.0).to(tl.float32)
    sin = tl.load(sin_ptr + places, mask=is_token[:, None], other=0.0).to(tl.float32)
    return low * cos - high * sin, high * cos + low * sin


@triton.jit
def _prepare_kernel(
    query_ptr: tl.tensor,  # [B, T, H, D]
    key_ptr: tl.tensor,  # [B, T, G, D]
    value_ptr: tl.tensor,  # [B, T, G, D]
    query_weight_ptr: tl.tensor,  # [D]
    key_weight_ptr: tl.tensor,  # [D]
    cos_ptr: tl.tensor,  # [B or 1, T, 1, D / 2]
    sin_ptr: tl.tensor,  # like it
    new_query_ptr: tl.tensor,  # [B, T, H, D]
    new_key_ptr: tl.tensor,  # [B, T, G, D]
    new_value_ptr: tl.tensor,  # [B, T, G, D]
    num_tokens: tl.tensor,
    query_batch_stride: tl.tensor,
    query_token_stride: tl.tensor,
    query_head_stride: tl.tensor,
    key_batch_stride: tl.tensor,
    key_token_stride: tl.tensor,
    key_head_stride: tl.tensor,
    value_batch_stride: tl.tensor,
    value_token_stride: tl.tensor,
    value_head_stride: tl.tensor,
    cos_batch_stride: tl.tensor,
    cos_token_stride: tl.tensor,
    eps: tl.tensor,
    NUM_HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HALF: tl.constexpr,
    TOKENS: tl.constexpr,
) -> None:
    tokens = tl.program_id(0).to(tl.int64) * TOKENS + tl.arange(0, TOKENS)
    head = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    is_token = tokens < num_tokens
    rows = batch * num_tokens + tokens
    offsets = batch * cos_batch_stride + tokens * cos_token_stride
    if head < NUM_HEADS:
        low, high = _normed_halves(
            query_ptr, batch, tokens, head,
            query_batch_stride, query_token_stride, query_head_stride, is_token, eps, HALF,
        )  # fmt: skip
        low, high = _turned(low, high, query_weight_ptr, cos_ptr, sin_ptr, offsets, is_token, HALF)
        _store_halves(new_query_ptr, rows * NUM_HEADS + head, low, high, is_token, HALF)
    elif head < NUM_HEADS + KV_HEADS:
        head = head - NUM_HEADS
        low, high = _normed_halves(
            key_ptr, batch, tokens, head,
            key_batch_stride, key_token_stride, key_head_stride, is_token, eps, HALF,
        )  # fmt: skip
        low, high = _turned(low, high, key_weight_ptr, cos_ptr, sin_ptr, offsets, is_token, HALF)
        _store_halves(new_key_ptr, rows * KV_HEADS + head, low, high, is_token, HALF)
    else:
        head = head - NUM_HEADS - KV_HEADS
        low, high = _normed_halves(
            value_ptr, batch, tokens, head,
            value_batch_stride, value_token_stride, value_head_stride, is_token, eps, HALF,
        )  # fmt: skip
        _store_halves(new_value_ptr, rows * KV_HEADS + head, low, high, is_token, HALF)
