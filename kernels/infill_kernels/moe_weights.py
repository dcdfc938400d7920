"""How the experts' matrices are stored for the Triton products: as they are, in fp8 or in int4.

Packing happens once, when a model is loaded, and puts weights where the kernel finds them with the
fewest instructions: `moe_tiles` reads a 32-bit word, shifts it and masks both of its halves at
once, so weights that belong side by side lie 16 bits apart. Plain torch on any device; knows no
checkpoint layout and no kernel.

fp8: a word holds 4 weights (e4m3 without NaN); byte 0, 1, 2, 3 is weight 2, 0, 3, 1.
int4: a word holds 8 weights as 0 to 15, less 8; nibble 0 to 7 is weight 0, 2, 4, 6, 1, 3, 5, 7.
Scales are one float32 a row, or one bfloat16 for each group of columns of a row; the latter lie
[groups / 2, rows] in words of two groups, so that a tile's scales are contiguous and as many bytes
as a GPU copies asynchronously at the least.
"""

from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

_FP8_ORDER = (2, 0, 3, 1)
_INT4_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
_LARGEST_FP8 = 448.0
_LARGEST_INT4 = 7.0


class WeightFormat(IntEnum):
    """The numbers are those the kernels compare with."""

    DENSE = 0
    FLOAT8 = 1
    INT4 = 2


class ExpertMatrices(NamedTuple):
    """One matrix per expert, [X, R, C] in any format, ready for the Triton kernels."""

    values: Tensor  # [X, R, C] float; or int32 words [X, R, C / 4] of fp8, [X, R, C / 8] of int4
    scales: Tensor  # [X, R] float32; or words [X, ceil(C / group / 2), R]; dense: unused
    format: WeightFormat
    group: int  # columns that share a scale, C for one scale a row
    num_columns: int  # C

    @property
    def shape(self) -> tuple[int, int, int]:
        """[X, R, C], whatever the format."""
        return (self.values.shape[0], self.values.shape[1], self.num_columns)

    @property
    def num_bytes(self) -> int:
        """What one full read of the matrices and their scales takes from memory."""
        tensors = (self.values,) if self.format == WeightFormat.DENSE else self[:2]
        return sum(t.numel() * t.element_size() for t in tensors)

    def check_for(self, x: Tensor) -> None:
        """Raise ValueError unless rows like `x` can be multiplied with these matrices."""
        if self.format == WeightFormat.DENSE and self.values.dtype != x.dtype:
            raise ValueError(f"weights are {self.values.dtype}, but rows {x.dtype}")
        if self.values.device != x.device:
            raise ValueError(f"weights are on {self.values.device}, but rows on {x.device}")
        if not (self.values.is_contiguous() and self.scales.is_contiguous()):
            raise ValueError("weights must be contiguous")


def two_units(dtype: torch.dtype) -> int:
    """Two halves whose last mantissa place is 1, in one word: what int4 is unpacked into.

    An argument of the kernels and no constant in them: with one of its two constants in a register
    the compiler makes one instruction of `(word & mask) | two_units`, with two literals two.
    """
    return 0x64006400 if dtype == torch.float16 else 0x43004300


def dense(weight: Tensor) -> ExpertMatrices:
    """[X, R, C] float as it is; nothing is copied."""
    return ExpertMatrices(weight, weight, WeightFormat.DENSE, weight.shape[2], weight.shape[2])


def pack_float8(weight: Tensor, group: int | None = None) -> ExpertMatrices:
    """Round to fp8 e4m3, with a scale per row or per group of columns.

    Args:
        weight: [X, R, C] float, finite.
        group: 32, 64 or 128 columns, a divisor of C; None gives one scale a row.

    Raises:
        ValueError: C is no multiple of the group, or of 4.
    """
    scales = _largest(weight, group) / _LARGEST_FP8
    scales = _as_stored(scales, group)
    per_column = _per_column(scales, weight.shape[2])
    values = torch.stack(
        [(w.float() / s).to(torch.float8_e4m3fn) for w, s in zip(weight, per_column, strict=True)]
    )
    return join_float8(values, scales, group)


def join_float8(values: Tensor, scales: Tensor, group: int | None = None) -> ExpertMatrices:
    """Pack weights that are in fp8 already, such as a checkpoint's.

    Args:
        values: [X, R, C] float8_e4m3fn, without NaN.
        scales: [X, R, C / group] float, [X, R, 1] for one a row.
        group: see `pack_float8`.
    """
    columns = values.shape[2]
    _check_group(columns, group, multiple_of=4)
    words = torch.stack([_words(v.view(torch.uint8), _FP8_ORDER, 8) for v in values])
    return ExpertMatrices(
        words, _pack_scales(scales), WeightFormat.FLOAT8, group or columns, columns
    )


def pack_int4(weight: Tensor, group: int = 64) -> ExpertMatrices:
    """Round to int4 symmetrically, each group of a row's columns by its own largest value.

    Args:
        weight: [X, R, C] float, finite.
        group: 32 or 64 columns, a divisor of C (704 = 11 * 64).

    Raises:
        ValueError: C is no multiple of the group.
    """
    scales = _as_stored(_largest(weight, group) / _LARGEST_INT4, group)
    per_column = _per_column(scales, weight.shape[2])
    values = torch.stack(
        [
            (w.float() / s).round_().clamp_(-8, 7).to(torch.int8)
            for w, s in zip(weight, per_column, strict=True)
        ]
    )
    return join_int4(values, scales, group)


def join_int4(values: Tensor, scales: Tensor, group: int = 64) -> ExpertMatrices:
    """Pack weights that are in int4 already, such as a checkpoint's.

    Args:
        values: [X, R, C] int8, -8 to 7.
        scales: [X, R, C / group] float; rounded to bfloat16.
        group: see `pack_int4`.
    """
    columns = values.shape[2]
    _check_group(columns, group, multiple_of=8)
    words = torch.stack([_words(v + 8, _INT4_ORDER, 4) for v in values])
    return ExpertMatrices(words, _pack_scales(scales), WeightFormat.INT4, group, columns)


def unpack(weights: ExpertMatrices) -> Tensor:
    """[X, R, C] float32: what the packed numbers stand for, the truth for the kernels' tests."""
    if weights.format == WeightFormat.DENSE:
        return weights.values.float()
    if weights.format == WeightFormat.FLOAT8:
        numbers = _numbers(weights.values, _FP8_ORDER, 8).to(torch.uint8)
        values = numbers.view(torch.float8_e4m3fn).float()
    else:
        values = _numbers(weights.values, _INT4_ORDER, 4).float() - 8
    if weights.group == weights.num_columns:
        return values * weights.scales.unsqueeze(-1)
    halves = torch.stack([weights.scales << 16, weights.scales & -65536], dim=2)
    scales = halves.view(torch.float32).flatten(1, 2).transpose(1, 2)  # [X, R, groups, maybe + 1]
    return values * _per_column(
        scales[..., : weights.num_columns // weights.group], values.shape[2]
    )


def _check_group(columns: int, group: int | None, multiple_of: int) -> None:
    if columns % multiple_of or columns % (group or 1):
        raise ValueError(f"{columns} columns are no multiple of {multiple_of} and of {group}")


def _largest(weight: Tensor, group: int | None) -> Tensor:
    _check_group(weight.shape[2], group, multiple_of=1)
    groups = weight.unflatten(2, (-1, group or weight.shape[2]))
    return groups.abs().amax(dim=-1).float().clamp_min(1e-20)


def _as_stored(scales: Tensor, group: int | None) -> Tensor:
    return scales if group is None else scales.to(torch.bfloat16).float()


def _per_column(scales: Tensor, columns: int) -> Tensor:
    return scales.repeat_interleave(columns // scales.shape[2], dim=2)


def _words(values: Tensor, order: tuple[int, ...], bits: int) -> Tensor:
    """[R, C] small integers to [R, C / len(order)] int32, the first of `order` lowest."""
    parts = values.to(torch.int64).unflatten(-1, (-1, len(order)))[..., list(order)]
    shifts = torch.arange(0, 32, bits, device=values.device)
    return (parts << shifts).sum(dim=-1).to(torch.int32)


def _numbers(words: Tensor, order: tuple[int, ...], bits: int) -> Tensor:
    """The inverse of `_words`, [..., W] to [..., C] int32."""
    shifts = torch.arange(0, 32, bits, dtype=torch.int32, device=words.device)
    parts = (words.unsqueeze(-1) >> shifts) & ((1 << bits) - 1)
    inverse = [order.index(i) for i in range(len(order))]
    return parts[..., inverse].flatten(-2)


def _pack_scales(scales: Tensor) -> Tensor:
    if scales.shape[2] == 1:
        return scales.squeeze(-1).float().contiguous()
    bits = scales.transpose(1, 2).to(torch.bfloat16).contiguous().view(torch.int16).int() & 0xFFFF
    if bits.shape[1] % 2:
        bits = torch.cat([bits, torch.zeros_like(bits[:, :1])], dim=1)
    return (bits[:, ::2] | (bits[:, 1::2] << 16)).contiguous()
