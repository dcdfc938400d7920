"""From what a checkpoint stores to what the kernels multiply: bit for bit, or rounded on the way.

Published formats keep their numbers: fp8 per row, int4 with and without zero points, AWQ and
NVFP4. Floats are rounded as `infill-ls model quantize` would (`conversion.rounding`). What the
kernels have no format for (int8, columns out of order) is left to be widened (decision 0025). Knows
nothing of modules' insides.
"""

import logging
from collections.abc import Mapping
from typing import Literal

import torch
from infill_kernels import moe_weights
from infill_kernels.moe_weights import NVFP4_GROUP, ExpertMatrices
from infill_kernels.moe_weights import WeightFormat as KernelFormat
from infill_kernels.published_weights import join_int4_zeros, join_nvfp4
from torch import Tensor

from infill_engine.api import CheckpointError
from infill_engine.checkpoint import layout, nibbles
from infill_engine.checkpoint.conversion.recipe import is_quantized
from infill_engine.checkpoint.conversion.rounding import to_fp8, to_int4
from infill_engine.checkpoint.stored_weight import StoredWeight
from infill_engine.checkpoint.weights import OfficialWeights
from infill_engine.model.packed_layers import PackedForm
from infill_engine.model.quantization import INT4_GROUP, WeightFormat

logger = logging.getLogger(__name__)

Rounding = Literal["fp8", "int4"]
"""What floats can be rounded to."""

_ROUNDED = {
    "fp8": PackedForm(KernelFormat.FLOAT8, None),
    "int4": PackedForm(KernelFormat.INT4, INT4_GROUP),
}
_SMALLEST_TILES = (64, 32, 16)


def forms_of_floats(
    expected: Mapping[str, layout.Shape], rounding: Rounding
) -> dict[str, PackedForm]:
    """How a float checkpoint's matrices are packed, by official name: those in layers.

    Raises:
        CheckpointError: columns do not make whole groups; names the matrix.
    """
    form = _ROUNDED[rounding]
    names = [name for name, shape in expected.items() if is_quantized(name, shape, rounding)]
    for name in names:
        if not _fits(form, expected[name][-1]):
            raise CheckpointError(
                f"{name} has {expected[name][-1]} columns, too few or too uneven to be rounded to "
                f"{rounding}; set dtype to auto or bfloat16."
            )
    return dict.fromkeys(names, form)


def forms_of_stored(
    weights: OfficialWeights, expected: Mapping[str, layout.Shape]
) -> dict[str, PackedForm]:
    """How a quantised checkpoint's matrices are packed, by official name; others are widened."""
    forms: dict[str, PackedForm] = {}
    num_widened, title = 0, ""
    for name, shape in expected.items():
        how = weights.stored_as(name)
        if how is None or not layout.is_packable(name, shape):
            continue
        form = None if weights.is_reordered(name) else form_of(how, shape[-1])
        if form is None:
            num_widened, title = num_widened + 1, how.title
        else:
            forms[name] = form
    if num_widened:
        logger.info(
            "%d matrices in %s are widened to floats: the kernels cannot read them as they are",
            num_widened,
            title,
        )
    return forms


def form_of(how: WeightFormat, columns: int) -> PackedForm | None:
    """The kernels' form of matrices stored as `how`; None when they have none."""
    form: PackedForm | None = None
    if how.name == "fp8":
        form = PackedForm(KernelFormat.FLOAT8, None)
    elif how.name in ("nvfp4", "nvfp4_modelopt"):
        form = PackedForm(KernelFormat.NVFP4, NVFP4_GROUP)
    elif how.num_bits == 4 and how.is_symmetric:
        form = PackedForm(KernelFormat.INT4, how.group_size)
    elif how.num_bits == 4:
        # A row's zero point is repeated, as the kernels look for one in each group.
        whole = next((size for size in _SMALLEST_TILES if columns % size == 0), None)
        form = PackedForm(KernelFormat.INT4_ZEROS, how.group_size or whole)
    return form if form is not None and _fits(form, columns) else None


def pack(stored: StoredWeight, form: PackedForm) -> ExpertMatrices:
    """The same numbers as the kernels read them, on the same device.

    Args:
        stored: [R, C], or a stack [X, R, C] in fp8.
        form: as `form_of` gives it for `stored`.

    Returns:
        [1, R, C], or [X, R, C]. Scales of groups are rounded to bfloat16 where they are stored as
        anything longer.
    """
    name = stored.format.name
    if name == "fp8":
        scale = stored.scale.reshape(*stored.shape[:-1], 1)
        stack = (-1, *stored.shape[-2:])
        return moe_weights.join_float8(stored.packed.view(stack), scale.view(-1, stack[1], 1))
    if name in ("nvfp4", "nvfp4_modelopt"):
        assert stored.global_scale is not None
        overall = stored.global_scale.float().reshape(())
        overall = 1.0 / overall if name == "nvfp4" else overall
        codes = nibbles.split_bytes(stored.packed)
        return join_nvfp4(codes[None], stored.scale[None], overall.expand(1, stored.shape[0]))
    numbers, zeros, scale = _integers(stored)
    if form.format == KernelFormat.INT4:
        return moe_weights.join_int4(numbers.to(torch.int8)[None] - 8, scale[None], form.group)
    assert zeros is not None and form.group is not None
    times = stored.shape[1] // form.group // scale.shape[1]
    zeros, scale = zeros.repeat_interleave(times, dim=1), scale.repeat_interleave(times, dim=1)
    return join_int4_zeros(numbers[None], zeros[None], scale[None], form.group)


def round_and_pack(weight: Tensor, rounding: Rounding, name: str) -> ExpertMatrices:
    """What `pack` would give of a matrix that `model quantize` had written.

    Args:
        weight: [R, C] floats, on the device where the result shall be.
        rounding: the format.
        name: of the matrix, for messages.

    Raises:
        CheckpointError: a number is not finite.
    """
    if rounding == "fp8":
        stored = StoredWeight(WeightFormat("fp8"), tuple(weight.shape), *to_fp8(weight))
    else:
        how = WeightFormat("packed_int", 4, INT4_GROUP)
        stored = StoredWeight(how, tuple(weight.shape), *to_int4(weight))
    if not bool(stored.scale.isfinite().all()):
        raise CheckpointError(
            f"{name} holds numbers that are not finite, or too large; fetch the checkpoint again."
        )
    return pack(stored, _ROUNDED[rounding])


def _integers(stored: StoredWeight) -> tuple[Tensor, Tensor | None, Tensor]:
    """Numbers [R, C] 0 to 15, zero points [R, G] if there are any, and scales [R, G]."""
    if stored.format.name == "awq":
        assert stored.zero_point is not None
        zeros = nibbles.unpack_awq(stored.zero_point).t()
        return nibbles.unpack_awq(stored.packed).t(), zeros, stored.scale.t()
    num_rows, num_columns = stored.shape
    numbers = nibbles.unpack_words(stored.packed, 4, num_columns)
    if stored.zero_point is None:
        return numbers, None, stored.scale
    # Packed along the rows.
    zeros = nibbles.unpack_words(stored.zero_point.t(), 4, num_rows).t()
    return numbers, zeros, stored.scale


def _fits(form: PackedForm, columns: int) -> bool:
    """Whether columns make whole groups and tiles that the kernels can read."""
    try:
        room = moe_weights.empty((1, 1, columns), *form, torch.device("meta"))
    except ValueError:
        return False
    return any(room.takes(block_k) for block_k in _SMALLEST_TILES)
