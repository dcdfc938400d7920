"""Writes the tiny model as the published quantised releases store theirs, bit by bit in numpy.

Shares no code with the engine's readers, so that an error cannot hide in both. Experts are three
matrices each, as linear layers; routers, embedding and self-conditioning stay floats.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from infill_engine.model.config import ModelConfig
from tests.tiny_checkpoint import tiny_config, tiny_model, tiny_tokenizer

GROUP = 32
NVFP4_GROUP = 16
E2M1 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
Array = NDArray[Any]


class Quantized(NamedTuple):
    """Tensors to store by what follows `X.`, and the floats that they stand for."""

    tensors: dict[str, Tensor]
    values: Array


Quantizer = Callable[[Array], Quantized]


def quantizable_config() -> ModelConfig:
    """The tiny model with columns that groups of 32 divide."""
    return tiny_config(hidden_size=64, intermediate_size=96, moe_intermediate_size=32)


def packable_config() -> ModelConfig:
    """The same with columns in whole tiles of 64, which the kernels want of nvfp4."""
    sizes = {"head_dim": 16, "moe_intermediate_size": 64, "intermediate_size": 128}
    return tiny_config(hidden_size=64, **sizes)


def fp8_channel(weight: Array) -> Quantized:
    """`weight` float8_e4m3fn [N, K], `weight_scale` bfloat16 [N, 1]."""
    scale = torch.from_numpy(np.abs(weight).max(1, keepdims=True) / 448).bfloat16()
    stored = (torch.from_numpy(weight) / scale.float()).clamp(-448, 448).to(torch.float8_e4m3fn)
    values = stored.float() * scale.float()
    return Quantized({"weight": stored, "weight_scale": scale}, values.numpy())


def int8_channel(weight: Array) -> Quantized:
    """`weight` int8 [N, K], `weight_scale` bfloat16 [N, 1]."""
    scale = _bfloat16(np.abs(weight).max(1, keepdims=True) / 127)
    stored = np.rint(weight / scale).clip(-128, 127).astype(np.int8)
    tensors = {"weight": torch.from_numpy(stored), "weight_scale": _as_bfloat16(scale)}
    return Quantized(tensors, stored * scale)


def packed_int4(weight: Array) -> Quantized:
    """Symmetric, groups of 32: `weight_packed`, `weight_scale`, `weight_shape`."""
    scale = _bfloat16(_groups(np.abs(weight), GROUP).max(2) / 7.5)
    numbers = np.rint(_groups(weight, GROUP) / scale[..., None]).clip(-8, 7)
    values = (numbers * scale[..., None]).reshape(weight.shape)
    return Quantized(_packed(numbers.reshape(weight.shape) + 8, scale, 4), values)


def packed_int4_with_zeros(weight: Array) -> Quantized:
    """As above with `weight_zero_point`, packed along the rows."""
    groups = _groups(weight, GROUP)
    low, high = np.minimum(groups.min(2), 0), np.maximum(groups.max(2), 0)
    scale = _bfloat16((high - low) / 15)
    zeros = np.rint(-low / scale).clip(0, 15)
    numbers = np.rint(groups / scale[..., None] + zeros[..., None]).clip(0, 15)
    values = ((numbers - zeros[..., None]) * scale[..., None]).reshape(weight.shape)
    tensors = _packed(numbers.reshape(weight.shape), scale, 4)
    tensors["weight_zero_point"] = torch.from_numpy(_words(zeros.T, 4).T.copy())
    return Quantized(tensors, values)


def packed_int4_reordered(weight: Array) -> Quantized:
    """Groups of columns that do not lie side by side: `weight_g_idx`."""
    num_columns = weight.shape[1]
    group_idx = np.random.default_rng(num_columns).permutation(num_columns) // GROUP
    scale = np.stack(
        [np.abs(weight[:, group_idx == g]).max(1) for g in range(num_columns // GROUP)], axis=1
    )
    scale = _bfloat16(scale / 7.5)
    numbers = np.rint(weight / scale[:, group_idx]).clip(-8, 7)
    tensors = _packed(numbers + 8, scale, 4)
    tensors["weight_g_idx"] = torch.from_numpy(group_idx.astype(np.int32))
    return Quantized(tensors, numbers * scale[:, group_idx])


def packed_int8_channel(weight: Array) -> Quantized:
    """Four int8 per word, one scale per row."""
    scale = _bfloat16(np.abs(weight).max(1, keepdims=True) / 127)
    numbers = np.rint(weight / scale).clip(-128, 127)
    return Quantized(_packed(numbers + 128, scale, 8), numbers * scale)


def awq(weight: Array) -> Quantized:
    """`qweight` [K, N / 8], `qzeros` [K / 32, N / 8], `scales` float16 [K / 32, N]."""
    groups = _groups(weight, GROUP)
    low, high = np.minimum(groups.min(2), 0), np.maximum(groups.max(2), 0)
    scale = ((high - low) / 15).astype(np.float16).astype(np.float32)
    zeros = np.rint(-low / scale).clip(0, 15)
    numbers = np.rint(groups / scale[..., None] + zeros[..., None]).clip(0, 15)
    values = ((numbers - zeros[..., None]) * scale[..., None]).reshape(weight.shape)
    tensors = {
        "qweight": torch.from_numpy(_awq_words(numbers.reshape(weight.shape).T)),
        "qzeros": torch.from_numpy(_awq_words(zeros.T)),
        "scales": torch.from_numpy(scale.T.copy()).half(),
    }
    return Quantized(tensors, values)


def nvfp4(weight: Array) -> Quantized:
    """compressed-tensors: the overall scale divides."""
    packed, scale, overall, values = _nvfp4(weight)
    tensors = {
        "weight_packed": packed,
        "weight_scale": scale,
        "weight_global_scale": torch.tensor([1 / overall]),
        "input_global_scale": torch.tensor(3.0),
    }
    return Quantized(tensors, values)


def nvfp4_modelopt(weight: Array) -> Quantized:
    """modelopt: the overall scale multiplies."""
    packed, scale, overall, values = _nvfp4(weight)
    tensors = {
        "weight": packed,
        "weight_scale": scale,
        "weight_scale_2": torch.tensor(overall),
        "input_scale": torch.tensor(0.25),
    }
    return Quantized(tensors, values)


def compressed_tensors_config(stored_as: str, **weights: Any) -> dict[str, Any]:
    """`quantization_config` as llm-compressor writes it."""
    settings = {
        "actorder": None,
        "block_structure": None,
        "dynamic": False,
        "group_size": None,
        "num_bits": 8,
        "observer": "minmax",
        "observer_kwargs": {},
        "strategy": "channel",
        "symmetric": True,
        "type": "int",
    }
    group = {
        "format": stored_as,
        "input_activations": None,
        "output_activations": None,
        "targets": ["Linear"],
        "weights": settings | weights,
    }
    return {
        "config_groups": {"group_0": group},
        "format": stored_as,
        "global_compression_ratio": None,
        "ignore": ["lm_head", "re:.*router.*", "re:.*self_conditioning.*", "re:.*embed.*"],
        "kv_cache_scheme": None,
        "quant_method": "compressed-tensors",
        "quantization_status": "compressed",
        "sparsity_config": {},
        "transform_config": {},
        "version": "0.15.0",
    }


_INT4 = {"num_bits": 4, "strategy": "group", "group_size": GROUP}
_NVFP4_WEIGHTS = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
RELEASES: dict[str, tuple[Quantizer, dict[str, Any]]] = {
    "fp8": (fp8_channel, compressed_tensors_config("float-quantized", type="float")),
    "int8": (int8_channel, compressed_tensors_config("int-quantized")),
    "int4": (packed_int4, compressed_tensors_config("pack-quantized", **_INT4)),
    "int4 zeros": (
        packed_int4_with_zeros,
        compressed_tensors_config("pack-quantized", **_INT4, symmetric=False),
    ),
    "int4 reordered": (
        packed_int4_reordered,
        compressed_tensors_config("pack-quantized", **_INT4, actorder="group"),
    ),
    "packed int8": (packed_int8_channel, compressed_tensors_config("pack-quantized")),
    "awq": (
        awq,
        {
            "quant_method": "awq",
            "bits": 4,
            "group_size": GROUP,
            "zero_point": True,
            "version": "gemm",
            "modules_to_not_convert": ["router", "self_conditioning"],
        },
    ),
    "nvfp4": (nvfp4, compressed_tensors_config("nvfp4-pack-quantized", **_NVFP4_WEIGHTS)),
    "nvfp4 modelopt": (
        nvfp4_modelopt,
        {
            "quant_method": "modelopt",
            "quant_algo": "NVFP4",
            "config_groups": {
                "group_0": {
                    "input_activations": {"dynamic": False, "num_bits": 4, "type": "float"},
                    "weights": {
                        "dynamic": False,
                        "num_bits": 4,
                        "type": "float",
                        "group_size": 16,
                    },
                    "targets": ["Linear"],
                }
            },
            "ignore": ["lm_head", "*router*", "*self_conditioning*"],
            "kv_cache_scheme": {"dynamic": False, "num_bits": 8, "type": "float"},
            "producer": {"name": "modelopt", "version": "0.44.0"},
        },
    ),
}
"""By a name for tests: how a matrix is stored, and what config.json says of it."""


def write_quantized_checkpoint(
    folder: Path,
    release: str,
    are_experts_stacked: bool = False,
    config: ModelConfig | None = None,
) -> dict[str, Tensor]:
    """Write a complete model folder.

    Args:
        folder: made when missing.
        release: one of `RELEASES`.
        are_experts_stacked: leave the experts stacked floats, as some releases do.
        config: sizes, `quantizable_config()` unless given.

    Returns:
        What each official decoder tensor stands for, float32.
    """
    quantize, quantization = RELEASES[release]
    config = config or quantizable_config()
    stored: dict[str, Tensor] = {}
    meaning: dict[str, Tensor] = {}
    for short_name, tensor in tiny_model(config).state_dict().items():
        name = f"model.decoder.{short_name}"
        if short_name.endswith("layer_scalar"):
            stored[f"model.encoder.language_model.{short_name}"] = tensor.clone()
        meaning[name] = tensor.clone()
        if ".experts." in name and not are_experts_stacked:
            meaning[name] = _store_experts(stored, name, tensor, quantize)
        elif tensor.dim() == 2 and (".self_attn." in name or ".mlp." in name):
            meaning[name] = _store(stored, name.removesuffix("weight"), tensor, quantize)
        else:
            stored[name] = tensor.clone()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    raw = config.to_dict() | {"dtype": "float32", "quantization_config": quantization}
    (folder / "config.json").write_text(json.dumps(raw))
    (folder / "generation_config.json").write_text("{}")
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    return meaning


def _store(stored: dict[str, Tensor], module: str, weight: Tensor, quantize: Quantizer) -> Tensor:
    done = quantize(weight.numpy())
    stored |= {module + name: tensor.contiguous() for name, tensor in done.tensors.items()}
    return torch.from_numpy(done.values.astype(np.float32))


def _store_experts(
    stored: dict[str, Tensor], name: str, stack: Tensor, quantize: Quantizer
) -> Tensor:
    prefix, _, kind = name.rpartition(".")
    means: list[Tensor] = []
    for idx, weight in enumerate(stack):
        if kind == "down_proj":
            means.append(_store(stored, f"{prefix}.{idx}.down_proj.", weight, quantize))
            continue
        gate, up = weight.chunk(2)
        pair = [
            _store(stored, f"{prefix}.{idx}.gate_proj.", gate, quantize),
            _store(stored, f"{prefix}.{idx}.up_proj.", up, quantize),
        ]
        means.append(torch.cat(pair))
    return torch.stack(means)


def _groups(weight: Array, size: int) -> Array:
    return weight.reshape(weight.shape[0], -1, size)


def _as_bfloat16(values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).bfloat16()


def _bfloat16(values: Array) -> Array:
    return _as_bfloat16(values.astype(np.float32)).float().numpy()


def _packed(unsigned: Array, scale: Array, num_bits: int) -> dict[str, Tensor]:
    return {
        "weight_packed": torch.from_numpy(_words(unsigned, num_bits)),
        "weight_scale": _as_bfloat16(scale),
        "weight_shape": torch.tensor(unsigned.shape),
    }


def _words(unsigned: Array, num_bits: int) -> Array:
    """Along each row, the first number in the lowest bits."""
    per_word = 32 // num_bits
    num_rows, num_columns = unsigned.shape
    words = np.zeros((num_rows, -(-num_columns // per_word)), np.uint32)
    for column in range(num_columns):
        shift = num_bits * (column % per_word)
        words[:, column // per_word] |= unsigned[:, column].astype(np.uint32) << shift
    return words.view(np.int32)


def _awq_words(unsigned: Array) -> Array:
    """Eight numbers of a row per word: nibble i holds column [0, 2, 4, 6, 1, 3, 5, 7][i]."""
    num_rows, num_columns = unsigned.shape
    words = np.zeros((num_rows, num_columns // 8), np.uint32)
    for word in range(num_columns // 8):
        for nibble, column in enumerate([0, 2, 4, 6, 1, 3, 5, 7]):
            words[:, word] |= unsigned[:, 8 * word + column].astype(np.uint32) << (4 * nibble)
    return words.view(np.int32)


def _nvfp4(weight: Array) -> tuple[Tensor, Tensor, float, Array]:
    """Packed bytes [N, K / 2], scales [N, K / 16], the overall scale and what they stand for."""
    overall = float(np.float32(np.abs(weight).max() / (6 * 448)))
    groups = _groups(weight, NVFP4_GROUP)
    scale = torch.from_numpy(np.abs(groups).max(2) / 6 / overall).to(torch.float8_e4m3fn)
    unit = scale.float().numpy()[..., None] * overall
    ratio = np.abs(groups / unit)
    index = np.abs(ratio[..., None] - np.array(E2M1)).argmin(-1)
    is_negative = groups < 0
    values = np.where(is_negative, -1, 1) * np.array(E2M1)[index] * unit
    codes = (index + 8 * is_negative).reshape(weight.shape).astype(np.uint8)
    packed = torch.from_numpy(codes[:, 0::2] | (codes[:, 1::2] << 4))
    return packed, scale, overall, values.reshape(weight.shape)
