"""A model folder becomes a model on a device: built without memory, filled tensor by tensor.

Never holds the weights twice: each tensor is read, moved, widened and put in place before the
next. On a CPU, what is stored as it is computed with is a view of the mapped file. Knows
nothing of prompts or of how the model is used.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from infill_engine.api import CheckpointError, OutOfMemory
from infill_engine.checkpoint import layout
from infill_engine.checkpoint.int8 import dequantize, quantize
from infill_engine.checkpoint.reader import TensorFiles
from infill_engine.checkpoint.writer import QUANT_METHOD
from infill_engine.model.config import read_model_config
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model.int8_layers import use_int8_layers

Progress = Callable[[str, float], None]

_FLOATS = ("F32", "F16", "BF16")


def load_model(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    progress: Progress | None = None,
    has_int8_weights: bool = False,
) -> DiffusionGemma:
    """Load the weights of `folder` for inference.

    1. Read the sizes and build the model without memory.
    2. Compare names, shapes and types of what is stored with what is needed.
    3. Compare the copies that some checkpoints store with their originals.
    4. Fill in the parameters one by one.

    Args:
        folder: holds config.json and safetensors in the official layout.
        device: where the parameters go.
        dtype: float32, bfloat16 or float16; stored values are converted.
        progress: called with what is being done and the share done, 0 to 1.
        has_int8_weights: keep matrices as int8 (see `model.int8_layers`), rounding those that are
            stored as floats; `dtype` must be float32 and the device a CPU.

    Raises:
        CheckpointError: a file is missing, damaged or does not fit; the message names it.
        OutOfMemory: the device has too little memory; the message names the sizes.
    """
    report = progress or (lambda _what, _share: None)
    # 1. Read the sizes and build the model without memory.
    config, raw_config = read_model_config(folder)
    _check_quantization(raw_config)
    expected = layout.decoder_tensors(config)
    with torch.device("meta"):
        model = DiffusionGemma(config)
        if has_int8_weights:
            use_int8_layers(model)
    # 2. Compare what is stored with what is needed.
    report("reading headers", 0.0)
    files = TensorFiles(folder)
    _check_stored(files, expected)
    # 3. Compare copies with their originals.
    _check_copies(files)
    # 4. Fill in the parameters.
    num_bytes = _bytes_to_allocate(files, expected, device, dtype, has_int8_weights)
    _check_memory(num_bytes, device)
    num_parameters, done = sum(math.prod(shape) for shape in expected.values()), 0
    try:
        for name, shape in expected.items():
            parameter_name = layout.parameter_name(name)
            if has_int8_weights and layout.is_quantizable(name, shape):
                values, scale = _read_int8(files, name)
                _place(model, parameter_name, values)
                _place(model, parameter_name + layout.SCALE_SUFFIX, scale)
            else:
                _place(model, parameter_name, _read(files, name, device, dtype))
            done += math.prod(shape)
            report("loading weights", done / num_parameters)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(num_bytes, device) from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        raise _out_of_memory(num_bytes, device) from error
    return model.eval()


def stores_int8(folder: Path) -> bool:
    """Whether a checkpoint's matrices are stored as int8.

    Raises:
        CheckpointError: config.json is missing or damaged.
    """
    quantization = read_model_config(folder)[1].get("quantization_config")
    return isinstance(quantization, Mapping) and quantization.get("quant_method") == QUANT_METHOD


def _check_quantization(raw_config: Mapping[str, Any]) -> None:
    quantization = raw_config.get("quantization_config")
    if quantization is None:
        return
    method = quantization.get("quant_method") if isinstance(quantization, Mapping) else quantization
    if method != QUANT_METHOD:
        raise CheckpointError(
            f"config.json: the weights are quantised by {method!r}; only plain floats and "
            f"{QUANT_METHOD!r} can be loaded. Use the original release."
        )


def _check_stored(files: TensorFiles, expected: dict[str, layout.Shape]) -> None:
    stored = set(files.names())
    for name, shape in expected.items():
        if name not in stored:
            raise CheckpointError(
                f"The checkpoint lacks {name}, expected with shape {list(shape)}; "
                "config.json and the weights do not fit together."
            )
        if files.shape(name) != shape:
            raise CheckpointError(
                f"{name} has shape {list(files.shape(name))}; config.json asks for {list(shape)}."
            )
        _check_type(files, name, stored)
    known = expected.keys() | {name + layout.SCALE_SUFFIX for name in expected}
    for name in sorted(stored):
        if not layout.is_vision(name) and (layout.original_of(name) or name) not in known:
            raise CheckpointError(
                f"The checkpoint has {name} of shape {list(files.shape(name))}, which a "
                "DiffusionGemma of this config.json does not have."
            )


def _check_type(files: TensorFiles, name: str, stored: set[str]) -> None:
    dtype, scale = files.dtype(name), name + layout.SCALE_SUFFIX
    if dtype in _FLOATS:
        if scale in stored:
            raise CheckpointError(f"The checkpoint has {scale}, but {name} is {dtype}, not I8.")
        return
    if dtype != "I8":
        raise CheckpointError(
            f"{name} is stored as {dtype}; only {', '.join(_FLOATS)} and I8 can be loaded."
        )
    if len(files.shape(name)) < 2:
        raise CheckpointError(f"{name} is stored as I8; only matrices may be quantised.")
    if scale not in stored:
        raise CheckpointError(f"{name} is stored as I8, but its scales {scale} are missing.")
    rows = files.shape(name)[:-1]
    if files.shape(scale) not in (rows, (*rows, 1)) or files.dtype(scale) not in _FLOATS:
        raise CheckpointError(
            f"{scale} is {files.dtype(scale)} of shape {list(files.shape(scale))}; "
            f"floats of shape {list(rows)} are needed."
        )


def _check_copies(files: TensorFiles) -> None:
    """Encoder and decoder are one network here, so that what is stored for both must agree."""
    stored = set(files.names())
    for name in sorted(stored):
        original = layout.original_of(name)
        if original is None or layout.is_vision(name):
            continue
        is_alike = (
            original in stored
            and files.shape(name) == files.shape(original)
            and files.dtype(name) == files.dtype(original)
        )
        if not is_alike or not torch.equal(files.read(name), files.read(original)):
            raise CheckpointError(
                f"{name} differs from {original}; both must hold the same values, since one set "
                "of weights serves as encoder and decoder."
            )


def _read(files: TensorFiles, name: str, device: torch.device, dtype: torch.dtype) -> Tensor:
    stored = files.read(name).to(device)
    if stored.dtype == torch.int8:
        return dequantize(stored, files.read(name + layout.SCALE_SUFFIX).to(device), dtype)
    return stored.to(dtype)


def _read_int8(files: TensorFiles, name: str) -> tuple[Tensor, Tensor]:
    """A matrix as int8, a view of the mapped file where it is stored so, and its row scales."""
    stored = files.read(name)
    if stored.dtype != torch.int8:
        return quantize(stored)
    return stored, files.read(name + layout.SCALE_SUFFIX).float().view(stored.shape[:-1])


def _place(model: nn.Module, name: str, tensor: Tensor) -> None:
    parent, _, leaf = name.rpartition(".")
    module = model.get_submodule(parent)
    is_buffer = leaf in dict(module.named_buffers(recurse=False))
    setattr(module, leaf, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))


def _bytes_to_allocate(
    files: TensorFiles,
    expected: dict[str, layout.Shape],
    device: torch.device,
    dtype: torch.dtype,
    has_int8_weights: bool,
) -> int:
    """Bytes of the parameters that cannot be views of the mapped files."""
    as_stored = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}.get(dtype)
    num_bytes = 0
    for name, shape in expected.items():
        is_int8 = has_int8_weights and layout.is_quantizable(name, shape)
        if device.type != "cpu" or files.dtype(name) != ("I8" if is_int8 else as_stored):
            num_bytes += math.prod(shape) * (1 if is_int8 else dtype.itemsize)
    return num_bytes


def _free_bytes(device: torch.device) -> int | None:
    """Memory still to be had on `device`; None where that cannot be asked."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available if device.type == "cpu" else None


def _check_memory(num_bytes: int, device: torch.device) -> None:
    free = _free_bytes(device)
    if free is not None and num_bytes > free:
        raise _out_of_memory(num_bytes, device)


def _out_of_memory(num_bytes: int, device: torch.device) -> OutOfMemory:
    free = _free_bytes(device)
    left = "too little is free" if free is None else f"{free / 1e9:.2f} GB are free"
    return OutOfMemory(
        f"The weights need {num_bytes / 1e9:.2f} GB on {device}, where {left}. "
        "Use a smaller model or dtype, another device, or end what else uses its memory."
    )
