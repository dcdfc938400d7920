"""What becomes of each stored tensor: its new names, types and shapes, known before its numbers.

fp8 and int4 store experts one by one as published releases do, and leave the embedding and
self-conditioning as they are; int8, the project's own, keeps stacks and rounds all but routers.
Knows nothing of files.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from infill_engine.api import CheckpointError
from infill_engine.checkpoint import layout
from infill_engine.checkpoint.conversion.rounding import to_fp8, to_int4, to_int8
from infill_engine.checkpoint.pieces import Piece, expert_pieces
from infill_engine.checkpoint.quantization_config import Target
from infill_engine.model.quantization import INT4_GROUP

_BYTES = {
    **dict.fromkeys(("I64", "U64", "F64"), 8),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"), 1),
}


class TensorSpec(NamedTuple):
    """A tensor of a safetensors file, without its numbers."""

    name: str
    dtype: str
    shape: layout.Shape

    @property
    def element_bytes(self) -> int:
        """Of one number."""
        return _BYTES[self.dtype]

    @property
    def num_bytes(self) -> int:
        """Of all numbers."""
        return self.element_bytes * prod(self.shape)


def becomes(stored: TensorSpec, target: Target) -> list[TensorSpec]:
    """The tensors to write for `stored`, in the order in which `converted` gives them.

    Raises:
        CheckpointError: its columns do not make whole groups, or its type is not known.
    """
    if stored.dtype not in _BYTES:
        raise CheckpointError(f"{stored.name} is stored as {stored.dtype}, which is not known.")
    if _is_spare_copy(stored):
        return []
    if not is_quantized(stored.name, stored.shape, target):
        return [stored]
    return [spec for piece in _matrices(stored, target) for spec in _SPECS[target](piece)]


def converted(stored: TensorSpec, tensor: Tensor, target: Target) -> Iterator[Tensor]:
    """The numbers of what `becomes` lists.

    Raises:
        CheckpointError: a number of a matrix is not finite.
    """
    if not is_quantized(stored.name, stored.shape, target):
        yield tensor
        return
    for piece in _matrices(stored, target):
        numbers, scale = _ROUND[target](tensor[piece.place])
        if not scale.isfinite().all():
            raise CheckpointError(
                f"{piece.name} holds numbers that are not finite, or too large; fetch the source "
                "again."
            )
        yield numbers
        yield scale
        if target == "int4":
            yield torch.tensor(piece.shape)


def is_quantized(name: str, shape: layout.Shape, target: Target) -> bool:
    """Whether a stored tensor is rounded for `target`."""
    if not name.startswith(layout.DECODER_PREFIX) or not layout.is_quantizable(name, shape):
        return False
    return target == "int8" or name.startswith(f"{layout.DECODER_PREFIX}layers.")


def _is_spare_copy(stored: TensorSpec) -> bool:
    """Whether it is a matrix stored twice; the copy would not be what its original becomes."""
    return layout.original_of(stored.name) is not None and len(stored.shape) >= 2


def _matrices(stored: TensorSpec, target: Target) -> list[Piece]:
    if target == "int8" or len(stored.shape) == 2:
        return [Piece(stored.name, stored.shape)]
    return expert_pieces(stored.name, stored.shape)


def _fp8_specs(piece: Piece) -> list[TensorSpec]:
    return [
        TensorSpec(piece.name, "F8_E4M3", piece.shape),
        TensorSpec(piece.name + layout.SCALE_SUFFIX, "BF16", (piece.shape[0], 1)),
    ]


def _int4_specs(piece: Piece) -> list[TensorSpec]:
    num_rows, num_columns = piece.shape
    if num_columns % INT4_GROUP:
        raise CheckpointError(
            f"{piece.name} has {num_columns} columns, which groups of {INT4_GROUP} do not divide; "
            "quantise this model to fp8 or int8."
        )
    return [
        TensorSpec(f"{piece.name}_packed", "I32", (num_rows, num_columns // 8)),
        TensorSpec(f"{piece.name}_scale", "BF16", (num_rows, num_columns // INT4_GROUP)),
        TensorSpec(f"{piece.name}_shape", "I64", (2,)),
    ]


def _int8_specs(piece: Piece) -> list[TensorSpec]:
    return [
        TensorSpec(piece.name, "I8", piece.shape),
        TensorSpec(piece.name + layout.SCALE_SUFFIX, "F32", piece.shape[:-1]),
    ]


_SPECS: dict[Target, Callable[[Piece], list[TensorSpec]]] = {
    "fp8": _fp8_specs,
    "int4": _int4_specs,
    "int8": _int8_specs,
}
_ROUND: dict[Target, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "fp8": to_fp8,
    "int4": to_int4,
    "int8": to_int8,
}
