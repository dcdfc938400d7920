"""Tensor names and shapes of the official layout, and how they map onto our modules.

Our modules bear the names of the official decoder, so that a name needs only its prefix changed.
Knows nothing of files.
"""

from infill_engine.model.config import ModelConfig

Shape = tuple[int, ...]

DECODER_PREFIX = "model.decoder."
ENCODER_PREFIX = "model.encoder.language_model."
SCALE_SUFFIX = "_scale"
"""`X` of dtype int8 has its scales in `X_scale`: `q_proj.weight` in `q_proj.weight_scale`."""

_VISION_PREFIXES = ("model.encoder.vision_tower.", "model.encoder.embed_vision.")
_HEAD = "lm_head.weight"
_EMBEDDING = f"{DECODER_PREFIX}embed_tokens.weight"


def expected_tensors(config: ModelConfig) -> dict[str, Shape]:
    """Names and shapes of all text tensors that the official release stores for `config`.

    The encoder shares the decoder's weights; only its layer scalars are stored a second time.
    """
    return decoder_tensors(config) | {
        f"{ENCODER_PREFIX}layers.{i}.layer_scalar": (1,) for i in range(config.num_layers)
    }


def decoder_tensors(config: ModelConfig) -> dict[str, Shape]:
    """Names and shapes of the tensors that our modules are filled from, in the model's order."""
    hidden, inner = config.hidden_size, config.intermediate_size
    tensors: dict[str, Shape] = {"embed_tokens.weight": (config.vocab_size, hidden)}
    for layer_idx in range(config.num_layers):
        for name, shape in _layer_tensors(config, layer_idx).items():
            tensors[f"layers.{layer_idx}.{name}"] = shape
    tensors["norm.weight"] = (hidden,)
    tensors["self_conditioning.pre_norm.weight"] = (hidden,)
    tensors |= {f"self_conditioning.{name}": s for name, s in _mlp(hidden, inner).items()}
    return {DECODER_PREFIX + name: shape for name, shape in tensors.items()}


def is_vision(name: str) -> bool:
    """Whether a stored tensor belongs to the image part, which this project does not use."""
    return name.startswith(_VISION_PREFIXES)


def original_of(name: str) -> str | None:
    """The tensor that `name` must be a copy of, or None when it is no copy.

    A checkpoint saved without tying repeats text weights for the encoder and the head.
    """
    if name == _HEAD:
        return _EMBEDDING
    if name.startswith(ENCODER_PREFIX):
        return DECODER_PREFIX + name.removeprefix(ENCODER_PREFIX)
    return None


def parameter_name(name: str) -> str:
    """Where a decoder tensor goes in `DiffusionGemma`."""
    return name.removeprefix(DECODER_PREFIX)


def is_quantizable(name: str, shape: Shape) -> bool:
    """Whether int8 is precise enough: matrices are, but a router's choices flip easily."""
    return len(shape) >= 2 and ".router." not in name


def is_packable(name: str, shape: Shape) -> bool:
    """Whether a tensor is a matrix of a linear layer or of experts, and no router's."""
    return is_quantizable(name, shape) and name != _EMBEDDING


def _layer_tensors(config: ModelConfig, layer_idx: int) -> dict[str, Shape]:
    hidden, num_experts = config.hidden_size, config.num_experts
    expert_inner = config.moe_intermediate_size
    norms = (
        "input_layernorm post_attention_layernorm pre_feedforward_layernorm "
        "pre_feedforward_layernorm_2 post_feedforward_layernorm post_feedforward_layernorm_1 "
        "post_feedforward_layernorm_2"
    )
    return {
        **_attention(config, layer_idx),
        **{f"mlp.{k}": s for k, s in _mlp(hidden, config.intermediate_size).items()},
        "router.proj.weight": (num_experts, hidden),
        "router.scale": (hidden,),
        "router.per_expert_scale": (num_experts,),
        "experts.gate_up_proj": (num_experts, 2 * expert_inner, hidden),
        "experts.down_proj": (num_experts, hidden, expert_inner),
        **{f"{norm}.weight": (hidden,) for norm in norms.split()},
        "layer_scalar": (1,),
    }


def _attention(config: ModelConfig, layer_idx: int) -> dict[str, Shape]:
    head_dim = config.layer_head_dim(layer_idx)
    num_query = config.num_heads * head_dim
    num_key = config.layer_num_kv_heads(layer_idx) * head_dim
    tensors: dict[str, Shape] = {
        "self_attn.q_proj.weight": (num_query, config.hidden_size),
        "self_attn.k_proj.weight": (num_key, config.hidden_size),
        "self_attn.o_proj.weight": (config.hidden_size, num_query),
        "self_attn.q_norm.weight": (head_dim,),
        "self_attn.k_norm.weight": (head_dim,),
    }
    if config.is_sliding(layer_idx):  # full layers use the keys as values
        tensors["self_attn.v_proj.weight"] = (num_key, config.hidden_size)
    return tensors


def _mlp(hidden: int, inner: int) -> dict[str, Shape]:
    return {
        "gate_proj.weight": (inner, hidden),
        "up_proj.weight": (inner, hidden),
        "down_proj.weight": (hidden, inner),
    }
