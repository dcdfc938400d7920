"""A model folder becomes a model on a device: built without memory, filled tensor by tensor.

Never holds the weights twice: each tensor is read, moved, changed and put in place before the
next. Quantised releases are widened on the way, unless they are computed with as they are.
On a CPU, what is stored as it is computed with is a view of the mapped file. Knows nothing of
prompts or of how the model is used.
"""

import logging
import math
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from infill_engine.api import OutOfMemory
from infill_engine.checkpoint import layout
from infill_engine.checkpoint.conversion.recipe import TensorSpec
from infill_engine.checkpoint.int8 import quantize
from infill_engine.checkpoint.packing import (
    Rounding,
    forms_of_floats,
    forms_of_stored,
    pack,
    round_and_pack,
)
from infill_engine.checkpoint.reader import TensorFiles
from infill_engine.checkpoint.stored_weight import StoredWeight
from infill_engine.checkpoint.weights import OfficialWeights
from infill_engine.model.config import read_model_config
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model.int8_layers import use_int8_layers
from infill_engine.model.packed_layers import (
    PackedForm,
    Slot,
    packed_matrices,
    slot_of,
    use_packed_layers,
)
from infill_engine.model.quantization import Packing, read_weight_format

logger = logging.getLogger(__name__)

Progress = Callable[[str, float], None]


def load_model(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    progress: Progress | None = None,
    has_int8_weights: bool = False,
    packing: Packing | None = None,
) -> DiffusionGemma:
    """Load the weights of `folder` for inference.

    1. Read the sizes and build the model without memory.
    2. Compare what is stored with what is needed.
    3. Fill in the parameters one by one.

    Args:
        folder: holds config.json and safetensors in the official layout.
        device: where the parameters go.
        dtype: float32, bfloat16 or float16; stored values are converted.
        progress: called with what is being done and the share done, 0 to 1.
        has_int8_weights: keep matrices as int8 (see `model.int8_layers`), rounding those that are
            stored as floats; `dtype` must be float32 and the device a CPU.
        packing: keep matrices packed (see `model.packed_layers`): as they are stored where the
            checkpoint is quantised, whatever this names, else rounded to this: "fp8" or "int4".

    Raises:
        CheckpointError: a file is missing, damaged or does not fit; the message names it.
        OutOfMemory: the device has too little memory; the message names the sizes.
    """
    report = progress or (lambda _what, _share: None)
    # 1. Read the sizes and build the model without memory.
    config, raw_config = read_model_config(folder)
    how = read_weight_format(raw_config)
    expected = layout.decoder_tensors(config)
    with torch.device("meta"):
        model = DiffusionGemma(config)
        if has_int8_weights:
            use_int8_layers(model)
    # 2. Compare what is stored with what is needed.
    report("reading headers", 0.0)
    weights = OfficialWeights(folder, expected, how)
    rounding: Rounding | None = None
    if packing is not None:
        if how is None:
            assert packing != "nvfp4", "floats are not rounded to it"
            rounding = packing
        with torch.device("meta"):
            forms = _forms(weights, expected, rounding)
            use_packed_layers(model, forms)
        if left := [name for name in forms if slot_of(model, name) is None]:
            logger.info("%d matrices beside others of another format are widened", len(left))
    # 3. Fill in the parameters.
    num_bytes = _bytes_to_allocate(model, weights, expected, device, dtype, has_int8_weights)
    _check_memory(num_bytes, device)
    num_parameters, done = sum(math.prod(shape) for shape in expected.values()), 0
    try:
        for matrices in packed_matrices(model):
            matrices.allocate(device)
        for name, shape in expected.items():
            parameter_name = layout.parameter_name(name)
            slot = slot_of(model, parameter_name)
            if slot is not None:
                _fill(slot, weights, name, device, rounding)
            elif has_int8_weights and layout.is_quantizable(name, shape):
                values, scale = _read_int8(weights, name, device)
                _place(model, parameter_name, values)
                _place(model, parameter_name + layout.SCALE_SUFFIX, scale)
            else:
                _place(model, parameter_name, weights.read(name, device, dtype))
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
        CheckpointError: config.json is missing, damaged or of an unknown quantisation.
    """
    how = read_weight_format(read_model_config(folder)[1])
    return how is not None and how.name == "int8"


def _forms(
    weights: OfficialWeights, expected: dict[str, layout.Shape], rounding: Rounding | None
) -> dict[str, PackedForm]:
    """How matrices are packed, by parameter."""
    if rounding is None:
        forms = forms_of_stored(weights, expected)
    else:
        forms = forms_of_floats(expected, rounding)
    return {layout.parameter_name(name): form for name, form in forms.items()}


def _fill(
    slot: Slot, weights: OfficialWeights, name: str, device: torch.device, rounding: Rounding | None
) -> None:
    """Pack the pieces of a tensor on the device and copy each to where it belongs."""
    stack = slot.matrices.matrices
    for piece, found in weights.stored(name):
        expert, rows = (*piece.place, slice(None))[:2] if piece.place else (0, slice(None))
        assert isinstance(expert, int) and isinstance(rows, slice)
        first_row = slot.first_row + (rows.start or 0)
        if isinstance(found, StoredWeight):
            packed = pack(found.to(device), slot.matrices.form)
            parts = [packed.only(idx) for idx in range(packed.shape[0])]
        else:
            assert rounding is not None
            floats = found.view(-1, *found.shape[-2:])
            parts = (round_and_pack(one.to(device), rounding, piece.name) for one in floats)
        for idx, part in enumerate(parts):
            stack.put(expert + idx, first_row, part)


def stored_bytes(folder: Path) -> int:
    """Bytes of a checkpoint's decoder, which serves as encoder too, as it is stored.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    files = TensorFiles(folder)
    return sum(
        TensorSpec(name, files.dtype(name), files.shape(name)).num_bytes
        for name in files.names()
        if name.startswith(layout.DECODER_PREFIX)
    )


def _read_int8(weights: OfficialWeights, name: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """A matrix as int8, a view of the mapped file where it is stored so, and its row scales."""
    if weights.dtype(name) == "I8":
        ((_, stored),) = weights.stored(name)
        if isinstance(stored, StoredWeight):
            return stored.packed, stored.scale.float().view(stored.packed.shape[:-1])
    return quantize(weights.read(name, device, torch.float32))


def _place(model: nn.Module, name: str, tensor: Tensor) -> None:
    parent, _, leaf = name.rpartition(".")
    module = model.get_submodule(parent)
    is_buffer = leaf in dict(module.named_buffers(recurse=False))
    setattr(module, leaf, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))


def _bytes_to_allocate(
    model: DiffusionGemma,
    weights: OfficialWeights,
    expected: dict[str, layout.Shape],
    device: torch.device,
    dtype: torch.dtype,
    has_int8_weights: bool,
) -> int:
    """Bytes of the parameters that cannot be views of the mapped files."""
    as_stored = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}.get(dtype)
    num_bytes = sum(matrices.matrices.num_bytes for matrices in packed_matrices(model))
    for name, shape in expected.items():
        if slot_of(model, layout.parameter_name(name)) is not None:
            continue
        is_int8 = has_int8_weights and layout.is_quantizable(name, shape)
        if device.type != "cpu" or weights.dtype(name) != ("I8" if is_int8 else as_stored):
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
