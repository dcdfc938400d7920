"""Norms, heads and attention as benchmarked operations. Knows sizes; measures nothing."""

import torch

from benchmarks.gpu.op import Arguments, Draw, Op
from infill_engine.model.config import ModelConfig

_KERNELS, _EPS = "infill_kernels", 1e-6


def layer_ops() -> list[Op]:
    """Everything in a layer but its products."""
    found = [
        Op(
            "rms_norm",
            f"{_KERNELS}.layer_norms_triton:rms_norm",
            f"{_KERNELS}.rms_norm:rms_norm",
            lambda d, _: (_rows(d), d.near_one(d.config.hidden_size), _EPS),
            lambda d: 4.0 * d.num_rows * d.config.hidden_size,
        ),
        Op(
            "branch_inputs",
            f"{_KERNELS}.layer_norms_triton:branch_inputs",
            f"{_KERNELS}.layer_norms:branch_inputs",
            _branch_inputs,
            lambda d: 16.0 * d.num_rows * d.config.hidden_size,
        ),
        Op(
            "finish_layer",
            f"{_KERNELS}.layer_norms_triton:finish_layer",
            f"{_KERNELS}.layer_norms:finish_layer",
            _finish_layer,
            lambda d: (14.0 + d.config.num_experts_per_token) * d.num_rows * d.config.hidden_size,
        ),
    ]
    for kind, is_full in (("sliding", False), ("full", True)):
        found.append(
            Op(
                f"prepare_heads, {kind}",
                f"{_KERNELS}.heads_triton:prepare_heads",
                f"{_KERNELS}.heads:prepare_heads",
                lambda d, _, is_full=is_full: _prepare_heads(d, is_full),
                lambda d, is_full=is_full: 8.0 * d.num_rows * _width(d.config, is_full),
            )
        )
        for direction, is_causal in (("canvas", False), ("prefill", True)):
            found.append(
                Op(
                    f"attention, {kind}, {direction}",
                    f"{_KERNELS}.cached_attention:attend_cached",
                    f"{_KERNELS}.attention:attend_cached",
                    lambda d, _, f=is_full, c=is_causal: _attention(d, f, c),
                    lambda d, f=is_full, c=is_causal: _attention_flop(d, f, c),
                )
            )
    return found


def _rows(draw: Draw) -> torch.Tensor:
    return draw.normal(draw.num_rows, draw.config.hidden_size)


def _branch_inputs(draw: Draw, _: Arguments) -> Arguments:
    weights = (draw.near_one(draw.config.hidden_size) for _ in range(4))
    return (_rows(draw), _rows(draw), *weights, _EPS)


def _finish_layer(draw: Draw, _: Arguments) -> Arguments:
    size, num_chosen = draw.config.hidden_size, draw.config.num_experts_per_token
    norms = (draw.near_one(size) for _ in range(3))
    choices = draw.normal(draw.num_rows, num_chosen, size)
    return (choices, _rows(draw), _rows(draw), *norms, draw.near_one(1), _EPS)


def _sizes(config: ModelConfig, is_full: bool) -> tuple[int, int, int]:
    """Query heads, key-value heads and their size."""
    if is_full:
        return config.num_heads, config.num_global_kv_heads, config.global_head_dim
    return config.num_heads, config.num_kv_heads, config.head_dim


def _width(config: ModelConfig, is_full: bool) -> int:
    num_heads, num_kv_heads, head_dim = _sizes(config, is_full)
    return (num_heads + 2 * num_kv_heads) * head_dim


def _prepare_heads(draw: Draw, is_full: bool) -> Arguments:
    num_heads, num_kv_heads, head_dim = _sizes(draw.config, is_full)
    key = draw.normal(1, draw.num_rows, num_kv_heads, head_dim)
    value = key if is_full else draw.normal(1, draw.num_rows, num_kv_heads, head_dim)
    angles = draw.normal(1, draw.num_rows, 1, head_dim // 2).float()
    return (
        draw.normal(1, draw.num_rows, num_heads, head_dim),
        key,
        value,
        draw.near_one(head_dim),
        draw.near_one(head_dim),
        angles.cos().to(draw.dtype),
        angles.sin().to(draw.dtype),
        _EPS,
    )


def _attention(draw: Draw, is_full: bool, is_causal: bool) -> Arguments:
    num_heads, num_kv_heads, head_dim = _sizes(draw.config, is_full)
    own, cached = draw.num_rows, draw.num_cached
    # Queries small enough that softmax spreads, as normed and scaled ones do.
    query = draw.normal(1, own, num_heads, head_dim, std=head_dim**-0.5)
    key, value = (draw.normal(1, own, num_kv_heads, head_dim) for _ in range(2))
    cache = [draw.normal(1, num_kv_heads, cached, head_dim) for _ in range(2)]
    window = None if is_full else draw.config.sliding_window
    return (query, key, value, *cache, draw.full(cached, torch.int32), is_causal, window)


def _attention_flop(draw: Draw, is_full: bool, is_causal: bool) -> float:
    num_heads, _, head_dim = _sizes(draw.config, is_full)
    seen = draw.num_cached + draw.num_rows * (0.5 if is_causal else 1.0)
    if not is_full:
        seen = min(seen, draw.config.sliding_window + (0 if is_causal else draw.num_rows))
    return 4.0 * draw.num_rows * seen * num_heads * head_dim
