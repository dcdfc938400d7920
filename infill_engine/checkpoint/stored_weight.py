"""A matrix as a checkpoint stores it: packed numbers, their scales, and how to widen them.

Whoever multiplies packed weights takes the fields; everyone else calls `dequantize`. Knows
nothing of names or files.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from infill_engine.checkpoint import nibbles
from infill_engine.checkpoint.int8 import dequantize as dequantize_rows
from infill_engine.model.quantization import FormatName, WeightFormat

# Widened at a time: on a CPU as little as stays in its cache (see `int8`), elsewhere enough to
# keep the device busy without a float32 copy of a whole stack.
_CPU_CHUNK_ELEMENTS = 131_072
_CHUNK_ELEMENTS = 33_554_432


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """One quantised matrix; every tensor is as stored, on one device.

    Attributes:
        format: what the numbers mean.
        shape: of the float matrix, [rows, columns]; `int8` and `fp8` may have dimensions before.
        packed: int8 or float8_e4m3fn [rows, columns]; `packed_int`: int32 [rows, columns * bits
            / 32]; `awq`: int32 [columns, rows / 8]; NVFP4: uint8 [rows, columns / 2].
        scale: one per row [rows] or [rows, 1], or per group [rows, groups]; `awq` [groups, rows].
        zero_point: `packed_int`: int32 [ceil(rows * bits / 32), groups]; `awq`: int32 [groups,
            rows / 8]; None when symmetric.
        group_idx: int [columns], the group of each column, where groups are no runs of columns.
        global_scale: one float32 by which NVFP4's scales are divided (`nvfp4`) or multiplied
            (`nvfp4_modelopt`).
    """

    format: WeightFormat
    shape: tuple[int, ...]
    packed: Tensor
    scale: Tensor
    zero_point: Tensor | None = None
    group_idx: Tensor | None = None
    global_scale: Tensor | None = None

    def to(self, device: torch.device) -> "StoredWeight":
        """The same on another device."""
        tensors = {
            field.name: value.to(device)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **tensors)

    def dequantize(self, dtype: torch.dtype) -> Tensor:
        """The float matrix, multiplied in float32 and rounded once to `dtype`.

        A piece at a time, so that little more memory than the result's is used.
        """
        if self.format.name in ("int8", "fp8"):
            return dequantize_rows(self.packed, self.scale, dtype)
        out = torch.empty(self.shape, dtype=dtype, device=self.packed.device)
        chunk = _CPU_CHUNK_ELEMENTS if out.device.type == "cpu" else _CHUNK_ELEMENTS
        step = max(8, chunk // max(1, self.shape[-1]) // 8 * 8)  # up to eight rows share a word
        widen = _WIDEN[self.format.name]
        for begin in range(0, self.shape[0], step):
            rows = slice(begin, min(begin + step, self.shape[0]))
            out[rows] = widen(self, rows)
        return out


def _widen_packed(stored: StoredWeight, rows: slice) -> Tensor:
    num_bits, num_columns = stored.format.num_bits, stored.shape[-1]
    numbers = nibbles.unpack_words(stored.packed[rows], num_bits, num_columns)
    scale = stored.scale[rows].float()
    if stored.zero_point is None:
        zeros = torch.full_like(scale, 1 << (num_bits - 1))
    else:
        # Packed along the rows, of which `rows` begins at a whole word.
        per_word = 32 // num_bits
        words = slice(rows.start // per_word, -(-rows.stop // per_word))
        num_rows = rows.stop - rows.start
        zeros = nibbles.unpack_words(stored.zero_point[words].t(), num_bits, num_rows).t().float()
    index = stored.group_idx
    if index is not None:
        return (numbers.float() - zeros[:, index]) * scale[:, index]
    groups = numbers.float().unflatten(-1, (scale.shape[-1], -1))
    return ((groups - zeros.unsqueeze(-1)) * scale.unsqueeze(-1)).flatten(-2)


def _widen_awq(stored: StoredWeight, rows: slice) -> Tensor:
    words = slice(rows.start // 8, -(-rows.stop // 8))
    assert stored.zero_point is not None
    numbers = nibbles.unpack_awq(stored.packed[:, words]).float()  # [columns, rows]
    zeros = nibbles.unpack_awq(stored.zero_point[:, words]).float()  # [groups, rows]
    scale = stored.scale[:, rows].float()
    groups = numbers.unflatten(0, (scale.shape[0], -1))
    return ((groups - zeros.unsqueeze(1)) * scale.unsqueeze(1)).flatten(0, 1).t()


def _widen_nvfp4(stored: StoredWeight, rows: slice) -> Tensor:
    assert stored.global_scale is not None
    overall = stored.global_scale.float().reshape(())
    scale = stored.scale[rows].float()
    scale = scale / overall if stored.format.name == "nvfp4" else scale * overall
    groups = nibbles.unpack_e2m1(stored.packed[rows]).unflatten(-1, (scale.shape[-1], -1))
    return (groups * scale.unsqueeze(-1)).flatten(-2)


_WIDEN: dict[FormatName, Callable[[StoredWeight, slice], Tensor]] = {
    "packed_int": _widen_packed,
    "awq": _widen_awq,
    "nvfp4": _widen_nvfp4,
    "nvfp4_modelopt": _widen_nvfp4,
}
