"""What config.json says of weights that this project quantised; read by `model.quantization`.

fp8 and int4 are described as llm-compressor does it, so that other engines can load them too.
Knows nothing of tensors.
"""

from typing import Any, Literal

from infill_engine.checkpoint.layout import SCALE_SUFFIX
from infill_engine.model.quantization import INT4_GROUP, INT8_METHOD

Target = Literal["fp8", "int4", "int8"]

# Regular expressions, marked by "re:"; linear layers that stay floats.
_IGNORED = [
    "lm_head",
    "re:.*router.*",
    "re:.*self_conditioning.*",
    "re:.*vision_tower.*",
    "re:.*embed_vision.*",
]


def quantization_config(target: Target) -> dict[str, Any]:
    """The object to store under `quantization_config`."""
    if target == "int8":
        return {
            "quant_method": INT8_METHOD,
            "bits": 8,
            "symmetric": True,
            "scale_per": "output row",
            "scale_suffix": SCALE_SUFFIX,
            "not_quantized": ["norms", "scalars", "router"],
        }
    if target == "fp8":
        weights = _numbers(num_bits=8, type="float", strategy="channel", group_size=None)
        activations = _numbers(num_bits=8, type="float", strategy="token", group_size=None)
        return _compressed_tensors("float-quantized", weights, activations | {"dynamic": True})
    weights = _numbers(num_bits=4, type="int", strategy="group", group_size=INT4_GROUP)
    return _compressed_tensors("pack-quantized", weights, None)


def _numbers(**settings: Any) -> dict[str, Any]:
    return {"symmetric": True, "dynamic": False, **settings}


def _compressed_tensors(
    stored_as: str, weights: dict[str, Any], activations: dict[str, Any] | None
) -> dict[str, Any]:
    group = {
        "targets": ["Linear"],
        "weights": weights,
        "input_activations": activations,
        "output_activations": None,
        "format": stored_as,
    }
    return {
        "quant_method": "compressed-tensors",
        "format": stored_as,
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": list(_IGNORED),
        "kv_cache_scheme": None,
        "global_compression_ratio": None,
    }
