"""What a step must read and compute at the least, and the time that takes: pure arithmetic.

Counts are of the algorithm, not of an implementation: every weight that is needed is read once,
every product takes two operations a weight and row, logits are written and read once in float32.
Bytes are those of bfloat16 where the format says nothing. Knows no device and measures nothing.
"""

from typing import Literal, NamedTuple

from infill_engine.model.config import ModelConfig

WeightFormat = Literal["bf16", "fp8", "int4"]

_INT4_GROUP = 64
BYTES_PER_WEIGHT: dict[WeightFormat, float] = {
    "bf16": 2.0,
    "fp8": 1.0,  # and four bytes a row
    "int4": 0.5 + 2 / _INT4_GROUP,  # a bfloat16 scale a group
}
_HALF_BYTES, _FLOAT_BYTES = 2, 4


class Roof(NamedTuple):
    """What a GPU can do, as measured in the same call."""

    bytes_per_s: float
    flop_per_s: float  # products in bfloat16

    def peak(self, is_float8: bool) -> float:
        """Operations a second; fp8 is taken to be twice as fast, as on the data sheets."""
        return self.flop_per_s * (2 if is_float8 else 1)


class Part(NamedTuple):
    """One kind of work in a pass over the model."""

    name: str
    num_bytes: float
    flop: float
    is_float8: bool = False

    def floor_ms(self, roof: Roof) -> float:
        """The longer of the time to move its bytes and the time to compute it."""
        moved_s = self.num_bytes / roof.bytes_per_s
        return 1000 * max(moved_s, self.flop / roof.peak(self.is_float8))


def experts_hit(config: ModelConfig, num_rows: int) -> float:
    """Experts that at least one of `num_rows` rows chooses, in the mean, when all are as likely."""
    missed = 1 - config.num_experts_per_token / config.num_experts
    return config.num_experts * (1 - missed**num_rows)


def step_parts(
    config: ModelConfig,
    weight_format: WeightFormat,
    num_canvas: int,
    num_prefix: int,
    batch: int = 1,
    num_experts_hit: float | None = None,
) -> list[Part]:
    """A denoising step with head, sampler and self-conditioning.

    The table and self-conditioning stay bfloat16 in every format, as in the published releases.

    Args:
        config: sizes.
        weight_format: of the layers' matrices.
        num_canvas: positions C of a canvas.
        num_prefix: cached tokens before it.
        batch: canvases at once, each with keys and values of its own.
        num_experts_hit: experts read per layer; None takes an even router's mean.
    """
    num_rows = batch * num_canvas
    table = config.vocab_size * config.hidden_size
    mlp = 3 * config.hidden_size * config.intermediate_size
    logits_bytes = 2 * _FLOAT_BYTES * num_rows * config.vocab_size  # written once, read once
    return [
        *_layer_parts(config, weight_format, num_rows, num_experts_hit),
        _canvas_attention(config, num_canvas, num_prefix, batch),
        Part("head", _HALF_BYTES * table, 2 * num_rows * table),
        Part("soft embedding", _HALF_BYTES * table, 2 * num_rows * table),
        Part("self-conditioning", _HALF_BYTES * mlp, 2 * num_rows * mlp),
        Part("logits", logits_bytes, 0.0),
    ]


def prefill_parts(
    config: ModelConfig, weight_format: WeightFormat, num_new: int, num_cached: int = 0
) -> list[Part]:
    """A causal pass over `num_new` tokens behind `num_cached`; nothing goes through the head."""
    flop = 0.0
    for layer_idx in range(config.num_layers):
        window = config.sliding_window if config.is_sliding(layer_idx) else None
        seen = sum(
            min(num_cached + token_idx + 1, window or num_cached + num_new)
            for token_idx in range(num_new)
        )
        flop += 4 * seen * config.num_heads * config.layer_head_dim(layer_idx)
    num_bytes = _kv_bytes(config, num_cached, is_clipped=True)
    num_bytes += _kv_bytes(config, num_new, is_clipped=False)
    return [
        *_layer_parts(config, weight_format, num_new, None),
        Part("attention", num_bytes, flop),
    ]


def floor_ms(parts: list[Part], roof: Roof) -> float:
    """The sum over parts: parts wait for each other, bytes and products of one part overlap."""
    return sum(part.floor_ms(roof) for part in parts)


def total_bytes(parts: list[Part]) -> float:
    """Bytes of all parts."""
    return sum(part.num_bytes for part in parts)


def total_flop(parts: list[Part]) -> float:
    """Operations of all parts."""
    return sum(part.flop for part in parts)


def _layer_parts(
    config: ModelConfig, weight_format: WeightFormat, num_rows: int, num_experts_hit: float | None
) -> list[Part]:
    hidden, layers = config.hidden_size, config.num_layers
    expert = 3 * hidden * config.moe_intermediate_size
    if num_experts_hit is None:
        num_experts_hit = experts_hit(config, num_rows)
    dense = layers * 3 * hidden * config.intermediate_size
    attention = sum(_attention_weights(config, layer_idx) for layer_idx in range(layers))
    router = layers * hidden * config.num_experts
    each, is_float8 = BYTES_PER_WEIGHT[weight_format], weight_format == "fp8"
    expert_flop = 2 * num_rows * config.num_experts_per_token * layers * expert
    return [
        Part("experts", each * layers * num_experts_hit * expert, expert_flop, is_float8),
        Part("dense MLP", each * dense, 2 * num_rows * dense, is_float8),
        Part("attention products", each * attention, 2 * num_rows * attention, is_float8),
        Part("router", _HALF_BYTES * router, 2 * num_rows * router),
    ]


def _attention_weights(config: ModelConfig, layer_idx: int) -> int:
    num_key_products = 2 if config.is_sliding(layer_idx) else 1  # full layers reuse their keys
    num_kv_heads = config.layer_num_kv_heads(layer_idx)
    heads = 2 * config.num_heads + num_key_products * num_kv_heads
    return config.hidden_size * config.layer_head_dim(layer_idx) * heads


def _canvas_attention(config: ModelConfig, num_canvas: int, num_prefix: int, batch: int) -> Part:
    flop = 0.0
    for layer_idx in range(config.num_layers):
        num_cached = _num_seen(config, layer_idx, num_prefix)
        heads = config.num_heads * config.layer_head_dim(layer_idx)
        flop += 4 * batch * num_canvas * (num_cached + num_canvas) * heads
    num_bytes = _kv_bytes(config, num_prefix, is_clipped=True)
    num_bytes += _kv_bytes(config, num_canvas, is_clipped=False)
    return Part("attention", batch * num_bytes, flop)


def _kv_bytes(config: ModelConfig, num_tokens: int, is_clipped: bool) -> float:
    """Keys and values of all layers; `is_clipped` counts what a canvas behind them sees."""
    total = 0
    for layer_idx in range(config.num_layers):
        seen = _num_seen(config, layer_idx, num_tokens) if is_clipped else num_tokens
        heads = config.layer_num_kv_heads(layer_idx) * config.layer_head_dim(layer_idx)
        total += 2 * _HALF_BYTES * seen * heads
    return total


def _num_seen(config: ModelConfig, layer_idx: int, num_tokens: int) -> int:
    return (
        min(num_tokens, config.sliding_window - 1) if config.is_sliding(layer_idx) else num_tokens
    )
