"""How matrices are stored for the Triton products: as they are, in fp8 or in four bits.

Packing happens once, when a model is loaded, and puts weights where the kernel finds them with the
fewest instructions (see `weight_words`). Plain torch on any device; knows no checkpoint layout and
no kernel.

- fp8: four e4m3 numbers a word, without NaN.
- int4: eight numbers 0 to 15 a word, less 8.
- int4 with zero points: eight numbers a word, less the zero point of their group.
- nvfp4: eight e2m1 numbers a word: a sign above an index into 0, 0.5, 1, 1.5, 2, 3, 4, 6.

Scales are one float32 a row, or one bfloat16 for each group of columns of a row; the latter lie
[groups / 2, rows] in words of two groups, so that a tile's scales are contiguous and as many bytes
as a GPU copies asynchronously at the least. With zero points each group has a word of its own: its
scale above, 128 + zero point below, both bfloat16. nvfp4 has four e4m3 scales of 16 columns a word,
[columns / 64, rows], and below them one float32 a row that multiplies all.
"""

from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from infill_kernels.weight_words import (
    BYTE_ORDER,
    NIBBLE_ORDER,
    join_halves,
    join_words,
    split_halves,
    split_words,
)

NVFP4_GROUP = 16
_NVFP4_TILE = 64  # columns whose scales share a word
_LARGEST_FP8 = 448.0
_LARGEST_INT4 = 7.0
_E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


class WeightFormat(IntEnum):
    """The numbers are those the kernels compare with."""

    DENSE = 0
    FLOAT8 = 1
    INT4 = 2
    INT4_ZEROS = 3
    NVFP4 = 4


_PER_WORD = {
    WeightFormat.FLOAT8: 4,
    WeightFormat.INT4: 8,
    WeightFormat.INT4_ZEROS: 8,
    WeightFormat.NVFP4: 8,
}


class ExpertMatrices(NamedTuple):
    """One matrix per expert, [X, R, C] in any format, ready for the Triton kernels."""

    values: Tensor  # [X, R, C] float, or int32 words [X, R, C / 4] of fp8, [X, R, C / 8] of others
    scales: Tensor  # [X, R] float32, or words [X, *, R], see above; dense: unused
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

    def takes(self, block_k: int) -> bool:
        """Whether the kernels can read these matrices `block_k` columns at a time."""
        if self.format == WeightFormat.DENSE:
            return True
        if self.num_columns % block_k:
            return False
        if self.format == WeightFormat.NVFP4:
            return block_k == _NVFP4_TILE
        return self.group % block_k == 0 or block_k == 2 * self.group

    def check_for(self, x: Tensor) -> None:
        """Raise ValueError unless rows like `x` can be multiplied with these matrices."""
        if self.format == WeightFormat.DENSE and self.values.dtype != x.dtype:
            raise ValueError(f"weights are {self.values.dtype}, but rows {x.dtype}")
        if self.values.device != x.device:
            raise ValueError(f"weights are on {self.values.device}, but rows on {x.device}")
        if not (self.values.is_contiguous() and self.scales.is_contiguous()):
            raise ValueError("weights must be contiguous")

    def only(self, expert: int) -> "ExpertMatrices":
        """The matrix of one expert, as a stack of one; a view."""
        one = slice(expert, expert + 1)
        return self._replace(values=self.values[one], scales=self.scales[one])

    def put(self, expert: int, first_row: int, part: "ExpertMatrices") -> None:
        """Copy `part`, a stack of one in the same format, into rows of an expert's matrix."""
        rows = slice(first_row, first_row + part.shape[1])
        self.values[expert, rows] = part.values[0]
        if self.format != WeightFormat.DENSE:
            self.scales[expert, ..., rows] = part.scales[0]


def two_units(dtype: torch.dtype) -> int:
    """Two halves whose last mantissa place is 1, in one word: what int4 is unpacked into.

    An argument of the kernels and no constant in them: with one of its two constants in a register
    the compiler makes one instruction of `(word & mask) | two_units`, with two literals two.
    """
    return 0x64006400 if dtype == torch.float16 else 0x43004300


def empty(
    shape: tuple[int, int, int],
    weight_format: WeightFormat,
    group: int | None,
    device: torch.device | None = None,
) -> ExpertMatrices:
    """Room for packed matrices [X, R, C], unset, to be filled with `put`.

    Args:
        shape: X, R and C.
        weight_format: not `DENSE`.
        group: columns that share a scale, None for one a row.
        device: where; "meta" takes no memory and still knows its size. None is torch's default.

    Raises:
        ValueError: C is no multiple of the group or of the numbers in a word.
    """
    num_experts, num_rows, columns = shape
    per_word = _PER_WORD[weight_format]
    check_group(columns, group, per_word)
    values = torch.empty(
        num_experts, num_rows, columns // per_word, dtype=torch.int32, device=device
    )
    is_by_row = weight_format in (WeightFormat.FLOAT8, WeightFormat.INT4) and group == columns
    if group is None or is_by_row:
        scales = torch.empty(num_experts, num_rows, device=device)
    else:
        num_words = {
            WeightFormat.INT4_ZEROS: columns // group,
            WeightFormat.NVFP4: -(-columns // _NVFP4_TILE) + 1,
        }.get(weight_format, -(-columns // group // 2))
        scales = torch.empty(num_experts, num_words, num_rows, dtype=torch.int32, device=device)
    return ExpertMatrices(values, scales, weight_format, group or columns, columns)


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
    check_group(columns, group, multiple_of=4)
    words = join_words(values.view(torch.uint8), BYTE_ORDER)
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


def join_int4(values: Tensor, scales: Tensor, group: int | None = 64) -> ExpertMatrices:
    """Pack weights that are in int4 already, such as a checkpoint's.

    Args:
        values: [X, R, C] int8, -8 to 7.
        scales: [X, R, C / group] float, rounded to bfloat16; [X, R, 1] for one a row, which is not.
        group: columns that share a scale, 16 or more, a divisor of C; None gives one a row.
    """
    columns = values.shape[2]
    check_group(columns, group, multiple_of=8)
    words = join_words(values + 8, NIBBLE_ORDER)
    return ExpertMatrices(words, _pack_scales(scales), WeightFormat.INT4, group or columns, columns)


def unpack(weights: ExpertMatrices) -> Tensor:
    """[X, R, C] float32: what the packed numbers stand for, the truth for the kernels' tests."""
    columns, num_groups = weights.num_columns, weights.num_columns // weights.group
    if weights.format == WeightFormat.DENSE:
        return weights.values.float()
    if weights.format == WeightFormat.FLOAT8:
        numbers = split_words(weights.values, BYTE_ORDER).to(torch.uint8)
        values = numbers.view(torch.float8_e4m3fn).float()
    elif weights.format == WeightFormat.NVFP4:
        table = torch.tensor(_E2M1, device=weights.values.device)
        values = torch.cat([table, -table])[split_words(weights.values, NIBBLE_ORDER)]
        numbers = split_words(weights.scales[:, :-1].transpose(1, 2), BYTE_ORDER)
        scales = numbers.to(torch.uint8).view(torch.float8_e4m3fn).float()
        overall = weights.scales[:, -1].contiguous().view(torch.float32).unsqueeze(-1)
        return values * _per_column(scales[..., :num_groups] * overall, columns)
    elif weights.format == WeightFormat.INT4_ZEROS:
        offsets, scales = split_halves(weights.scales).unflatten(2, (-1, 2)).unbind(-1)
        values = split_words(weights.values, NIBBLE_ORDER).float()
        return (values - _per_column(offsets - 128.0, columns)) * _per_column(scales, columns)
    else:
        values = split_words(weights.values, NIBBLE_ORDER).float() - 8
    if weights.scales.ndim == 2:
        return values * weights.scales.unsqueeze(-1)
    return values * _per_column(split_halves(weights.scales)[..., :num_groups], columns)


def check_group(columns: int, group: int | None, multiple_of: int) -> None:
    """Raise ValueError unless columns make whole words and whole groups."""
    if columns % multiple_of or columns % (group or 1):
        raise ValueError(f"{columns} columns are no multiple of {multiple_of} and of {group}")


def _largest(weight: Tensor, group: int | None) -> Tensor:
    check_group(weight.shape[2], group, multiple_of=1)
    groups = weight.unflatten(2, (-1, group or weight.shape[2]))
    return groups.abs().amax(dim=-1).float().clamp_min(1e-20)


def _as_stored(scales: Tensor, group: int | None) -> Tensor:
    return scales if group is None else scales.to(torch.bfloat16).float()


def _per_column(scales: Tensor, columns: int) -> Tensor:
    return scales.repeat_interleave(columns // scales.shape[2], dim=2)


def _pack_scales(scales: Tensor) -> Tensor:
    return scales.squeeze(-1).float().contiguous() if scales.shape[2] == 1 else join_halves(scales)
