"""A model becomes a folder in the official layout, in floats or in int8.

Files appear whole or not at all: each is written under another name, then renamed. Knows nothing
of tokenizers, which whoever trains a model copies beside the weights.
"""

import errno
import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from infill_engine.api import CheckpointError
from infill_engine.checkpoint import layout
from infill_engine.checkpoint.int8 import quantize
from infill_engine.checkpoint.quantization_config import quantization_config
from infill_engine.checkpoint.reader import INDEX_FILE, SINGLE_FILE
from infill_engine.model.diffusion_gemma import DiffusionGemma

_HEADER_BYTES = 1_048_576  # more than any header, so that free space is not misjudged


def save_checkpoint(
    folder: Path,
    model: DiffusionGemma,
    quantize_int8: bool,
    generation_config: Mapping[str, Any],
    max_shard_bytes: int = 5_000_000_000,
) -> None:
    """Write config.json, generation_config.json and the weights; replaces those of `folder`.

    Args:
        folder: made when missing; other files in it stay.
        model: its parameters may be on any device, in any float dtype, which is kept.
        quantize_int8: store matrices as int8 with a float32 scale per output row.
        generation_config: written as it is; see `GenerationConfig.to_dict`.
        max_shard_bytes: begin another file rather than exceed this; a larger tensor has its own.

    Raises:
        CheckpointError: the disk is full or the folder cannot be written; old files are kept.
    """
    expected = layout.expected_tensors(model.config)
    shards = _plan_shards(model, expected, quantize_int8, max_shard_bytes)
    config = model.config.to_dict()
    config["dtype"] = str(model.embed_tokens.weight.dtype).removeprefix("torch.")
    if quantize_int8:
        config["quantization_config"] = quantization_config("int8")
    temporary = folder / f".writing-{os.getpid()}"
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        _check_space(folder, sum(size for _, size in shards))
        weight_map: dict[str, str] = {}
        for shard_idx, (names, _) in enumerate(shards):
            file_name = _shard_name(shard_idx, len(shards))
            tensors = _shard_tensors(model, names, quantize_int8)
            save_file(tensors, temporary / file_name, metadata={"format": "pt"})
            weight_map |= dict.fromkeys(tensors, file_name)
        _write_json(temporary / "config.json", config)
        _write_json(temporary / "generation_config.json", generation_config)
        if len(shards) > 1:
            total = {"total_size": sum(size for _, size in shards)}
            _write_json(temporary / INDEX_FILE, {"metadata": total, "weight_map": weight_map})
        _move_into_place(temporary, folder)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(_what_failed(folder, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _plan_shards(
    model: DiffusionGemma,
    expected: dict[str, layout.Shape],
    quantize_int8: bool,
    max_shard_bytes: int,
) -> list[tuple[list[str], int]]:
    """Names of each file's tensors and the bytes they take, in the model's order."""
    shards: list[tuple[list[str], int]] = []
    for name, shape in expected.items():
        num_bytes = math.prod(shape) * _tensor(model, name).element_size()
        if quantize_int8 and layout.is_quantizable(name, shape):
            num_bytes = math.prod(shape) + 4 * math.prod(shape[:-1])
        if not shards or shards[-1][1] + num_bytes > max_shard_bytes:
            shards.append(([], 0))
        names, size = shards[-1]
        shards[-1] = ([*names, name], size + num_bytes)
    return shards


def _shard_tensors(
    model: DiffusionGemma, names: list[str], quantize_int8: bool
) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name in names:
        tensor = _tensor(model, name).detach()
        if quantize_int8 and layout.is_quantizable(name, tuple(tensor.shape)):
            stored, scale = quantize(tensor)
            tensors[name] = stored.cpu().contiguous()
            tensors[name + layout.SCALE_SUFFIX] = scale.cpu().contiguous()
        else:
            # Copies of the layer scalars would share memory, which the format refuses.
            is_copy = layout.original_of(name) is not None
            tensors[name] = (tensor.clone() if is_copy else tensor).cpu().contiguous()
    return tensors


def _tensor(model: DiffusionGemma, name: str) -> Tensor:
    parent, _, leaf = layout.parameter_name(layout.original_of(name) or name).rpartition(".")
    found = getattr(model.get_submodule(parent), leaf)
    assert isinstance(found, torch.Tensor)
    return found


def _shard_name(shard_idx: int, num_shards: int) -> str:
    if num_shards == 1:
        return SINGLE_FILE
    return f"model-{shard_idx + 1:05d}-of-{num_shards:05d}.safetensors"


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _check_space(folder: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < num_bytes + _HEADER_BYTES:
        raise OSError(
            errno.ENOSPC, f"{num_bytes / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free"
        )


def _move_into_place(temporary: Path, folder: Path) -> None:
    written = sorted(path.name for path in temporary.iterdir())
    # safetensors makes files that only their owner may read; let them be like config.json.
    mode = (temporary / "config.json").stat().st_mode
    for name in written:
        (temporary / name).chmod(mode)
        (temporary / name).replace(folder / name)
    stale = {INDEX_FILE, SINGLE_FILE, *(p.name for p in folder.glob("model-*-of-*.safetensors"))}
    for name in stale - set(written):
        (folder / name).unlink(missing_ok=True)


def _what_failed(folder: Path, error: Exception) -> str:
    cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in cause:
        return f"The disk of {folder} is full ({cause}); free some space and save again."
    return f"The model cannot be written to {folder}: {cause}."
