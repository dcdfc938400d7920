"""Sizes of a DiffusionGemma text stack, as read from a checkpoint's `config.json`.

Knows nothing of tensors. Vision settings are read past: this project is text only.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from infill_engine.api import CheckpointError

LayerType = Literal["sliding_attention", "full_attention"]

_SLIDING_PATTERN = 6  # five sliding layers, then a full one, when config.json names no layer types
_ROPE_DEFAULTS: dict[str, dict[str, Any]] = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    "full_attention": {
        "rope_type": "proportional",
        "partial_rotary_factor": 0.25,
        "rope_theta": 1e6,
    },
}


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary embedding of one layer type.

    Attributes:
        theta: base wavelength.
        rotated_fraction: share of the head's dimensions that turn; the rest pass unchanged.
        is_proportional: frequencies are spread over the whole head and the unrotated ones are
            zero ("proportional"), instead of being spread over the rotated part ("default").
    """

    theta: float
    rotated_fraction: float
    is_proportional: bool


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Everything needed to build the stack; every size is a count of elements.

    `head_dim` and `num_kv_heads` hold for sliding layers, `global_*` for full ones, which have no
    value projection. The defaults are those of google/diffusiongemma-26B-A4B-it.
    """

    vocab_size: int = 262_144
    hidden_size: int = 2816
    num_layers: int = 30
    num_heads: int = 16
    num_kv_heads: int = 8
    head_dim: int = 256
    num_global_kv_heads: int = 2
    global_head_dim: int = 512
    intermediate_size: int = 2112
    num_experts: int = 128
    num_experts_per_token: int = 8
    moe_intermediate_size: int = 704
    sliding_window: int = 1024
    layer_types: tuple[LayerType, ...] = ()
    rope_sliding: RopeConfig = RopeConfig(1e4, 1.0, False)
    rope_full: RopeConfig = RopeConfig(1e6, 0.25, True)
    rms_norm_eps: float = 1e-6
    logit_softcap: float = 30.0
    canvas_length: int = 256
    max_position_embeddings: int = 262_144

    def __post_init__(self) -> None:
        """Fill in the layer pattern and refuse impossible sizes.

        Raises:
            CheckpointError: naming the field, its value and what is allowed.
        """
        if not self.layer_types:
            pattern: tuple[LayerType, ...] = tuple(
                "full_attention" if (i + 1) % _SLIDING_PATTERN == 0 else "sliding_attention"
                for i in range(self.num_layers)
            )
            object.__setattr__(self, "layer_types", pattern)
        # The reference forces this too: the last layer must see the whole prompt.
        if self.layer_types and self.layer_types[-1] != "full_attention":
            object.__setattr__(self, "layer_types", (*self.layer_types[:-1], "full_attention"))
        self._check()

    def _check(self) -> None:
        for name in (
            "vocab_size hidden_size num_layers num_heads num_kv_heads head_dim num_global_kv_heads "
            "global_head_dim intermediate_size num_experts num_experts_per_token "
            "moe_intermediate_size sliding_window canvas_length"
        ).split():
            if not 1 <= getattr(self, name) < 2**31:
                raise CheckpointError(
                    f"config.json: {name} is {getattr(self, name)}; it must be positive and below "
                    "2**31."
                )
        if len(self.layer_types) != self.num_layers:
            raise CheckpointError(
                f"config.json: layer_types has {len(self.layer_types)} entries for "
                f"{self.num_layers} layers; both must agree."
            )
        for name in ("num_kv_heads", "num_global_kv_heads"):
            if self.num_heads % getattr(self, name):
                raise CheckpointError(
                    f"config.json: {self.num_heads} attention heads cannot share "
                    f"{getattr(self, name)} key-value heads; the first must be a multiple."
                )
        if self.num_experts_per_token > self.num_experts:
            raise CheckpointError(
                f"config.json: top_k_experts is {self.num_experts_per_token} but there are only "
                f"{self.num_experts} experts."
            )

    def is_sliding(self, layer_idx: int) -> bool:
        """Whether layer `layer_idx` sees only the last `sliding_window` tokens."""
        return self.layer_types[layer_idx] == "sliding_attention"

    def layer_head_dim(self, layer_idx: int) -> int:
        """Elements per attention head in layer `layer_idx`."""
        return self.head_dim if self.is_sliding(layer_idx) else self.global_head_dim

    def layer_num_kv_heads(self, layer_idx: int) -> int:
        """Key-value heads in layer `layer_idx`."""
        return self.num_kv_heads if self.is_sliding(layer_idx) else self.num_global_kv_heads

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "ModelConfig":
        """Read the official layout, `{"canvas_length": .., "text_config": {..}}`.

        Raises:
            CheckpointError: a needed field is missing or has the wrong kind of value.
        """
        text = raw.get("text_config")
        if not isinstance(text, Mapping):
            raise CheckpointError(
                "config.json has no text_config object; this is not a DiffusionGemma checkpoint."
            )
        try:
            return cls._from_text_config(text, canvas_length=int(raw.get("canvas_length", 256)))
        except KeyError as error:
            raise CheckpointError(f"config.json: text_config lacks {error.args[0]!r}.") from None
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointError(f"config.json: a field has the wrong type ({error}).") from None

    @classmethod
    def _from_text_config(cls, text: Mapping[str, Any], canvas_length: int) -> "ModelConfig":
        activation = text.get("hidden_activation", "gelu_pytorch_tanh")
        if activation != "gelu_pytorch_tanh":
            raise CheckpointError(
                f"config.json: hidden_activation is {activation!r}; only 'gelu_pytorch_tanh' is "
                "known."
            )
        if text.get("attention_bias"):
            raise CheckpointError("config.json: attention_bias is true; biases are not supported.")
        if text.get("use_bidirectional_attention") == "all":
            raise CheckpointError(
                "config.json: use_bidirectional_attention is 'all'; only a causal encoder is known."
            )
        num_kv_heads = int(text["num_key_value_heads"])
        ropes = {**_ROPE_DEFAULTS, **(text.get("rope_parameters") or {})}
        return cls(
            vocab_size=int(text["vocab_size"]),
            hidden_size=int(text["hidden_size"]),
            num_layers=int(text["num_hidden_layers"]),
            num_heads=int(text["num_attention_heads"]),
            num_kv_heads=num_kv_heads,
            head_dim=int(text["head_dim"]),
            num_global_kv_heads=int(_global(text, "num_key_value_heads", num_kv_heads)),
            global_head_dim=int(_global(text, "head_dim", 512)),
            intermediate_size=int(text["intermediate_size"]),
            num_experts=int(text["num_experts"]),
            num_experts_per_token=int(text["top_k_experts"]),
            moe_intermediate_size=int(text["moe_intermediate_size"]),
            sliding_window=int(text["sliding_window"]),
            layer_types=tuple(text.get("layer_types") or ()),
            rope_sliding=_rope(ropes["sliding_attention"]),
            rope_full=_rope(ropes["full_attention"]),
            rms_norm_eps=float(text.get("rms_norm_eps", 1e-6)),
            logit_softcap=float(text.get("final_logit_softcapping", 30.0)),
            canvas_length=canvas_length,
            max_position_embeddings=int(text.get("max_position_embeddings", 262_144)),
        )

    def to_dict(self) -> dict[str, Any]:
        """The official layout, which transformers reads too (without its vision part)."""
        text = {
            "model_type": "diffusion_gemma_text",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "head_dim": self.head_dim,
            "num_global_key_value_heads": self.num_global_kv_heads,
            "global_head_dim": self.global_head_dim,
            "intermediate_size": self.intermediate_size,
            "num_experts": self.num_experts,
            "top_k_experts": self.num_experts_per_token,
            "moe_intermediate_size": self.moe_intermediate_size,
            "sliding_window": self.sliding_window,
            "layer_types": list(self.layer_types),
            "rope_parameters": {
                "sliding_attention": _rope_dict(self.rope_sliding),
                "full_attention": _rope_dict(self.rope_full),
            },
            "rms_norm_eps": self.rms_norm_eps,
            "final_logit_softcapping": self.logit_softcap,
            "max_position_embeddings": self.max_position_embeddings,
            "hidden_activation": "gelu_pytorch_tanh",
            "attention_bias": False,
            "use_bidirectional_attention": "vision",
            "tie_word_embeddings": True,
        }
        return {
            "architectures": ["DiffusionGemmaForBlockDiffusion"],
            "model_type": "diffusion_gemma",
            "canvas_length": self.canvas_length,
            "tie_word_embeddings": True,
            "text_config": text,
        }


def read_model_config(folder: Path) -> tuple[ModelConfig, dict[str, Any]]:
    """Read `folder/config.json`; returns the parsed sizes and the raw object.

    Raises:
        CheckpointError: the file is missing, is not JSON or does not fit.
    """
    raw = read_json_object(folder / "config.json")
    return ModelConfig.from_dict(raw), raw


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object, or raise `CheckpointError` with one clear sentence."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; is this a model folder?") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(raw, dict):
        raise CheckpointError(f"{path} holds a {type(raw).__name__}; a JSON object is needed.")
    return raw


def _global(text: Mapping[str, Any], name: str, default: Any) -> Any:
    """Value of `name` in full layers.

    Published checkpoints say `global_head_dim`; a config saved by transformers says it once per
    layer in `per_layer_config`, and only where full layers differ from the others.
    """
    published = (
        "global_head_dim" if name == "head_dim" else f"num_global_{name.removeprefix('num_')}"
    )
    if text.get(published) is not None:
        return text[published]
    overrides = text.get("per_layer_config")
    if overrides is None:
        return default
    for override in overrides.values():
        if name in override:
            return override[name]
    return text[name]


def _rope(raw: Mapping[str, Any]) -> RopeConfig:
    rope_type = raw.get("rope_type", "default")
    if rope_type not in ("default", "proportional"):
        raise CheckpointError(
            f"config.json: rope_type is {rope_type!r}; known are 'default' and 'proportional'."
        )
    if rope_type == "default" and float(raw.get("partial_rotary_factor", 1.0)) != 1.0:
        raise CheckpointError(
            f"config.json: partial_rotary_factor is {raw['partial_rotary_factor']} with rope_type "
            "'default'; only 'proportional' may turn a part of each head."
        )
    return RopeConfig(
        theta=float(raw["rope_theta"]),
        rotated_fraction=float(raw.get("partial_rotary_factor", 1.0)),
        is_proportional=rope_type == "proportional",
    )


def _rope_dict(rope: RopeConfig) -> dict[str, Any]:
    return {
        "rope_type": "proportional" if rope.is_proportional else "default",
        "rope_theta": rope.theta,
        "partial_rotary_factor": rope.rotated_fraction,
    }
