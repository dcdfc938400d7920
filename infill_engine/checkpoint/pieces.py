"""Which stored matrices make up an official tensor, and which tensors make up a stored matrix.

The official release stacks all experts of a layer, gate rows before up rows; quantised releases
store three matrices per expert instead, as linear layers of their own. Knows nothing of files.
"""

from collections.abc import Collection
from typing import NamedTuple

from infill_engine.checkpoint.layout import SCALE_SUFFIX, Shape
from infill_engine.model.quantization import WeightFormat

FLOATS = ("F32", "F16", "BF16")
_INTEGERS = ("I32", "I64")
_GATE_UP, _DOWN = "experts.gate_up_proj", "experts.down_proj"


class Piece(NamedTuple):
    """One stored matrix, or any tensor that is stored whole.

    Attributes:
        name: of the tensor that would hold it in floats: `X.weight`, or an official stack.
        shape: of the float matrix.
        place: its index in the official tensor; empty when it is all of it.
    """

    name: str
    shape: Shape
    place: tuple[int | slice, ...] = ()


class Part(NamedTuple):
    """A tensor of a quantised matrix.

    Attributes:
        field: of `StoredWeight` that it fills; empty when it is only checked.
        name: as stored.
        dtypes: safetensors' spelling of what it may be.
        shapes: what it may have; none allows any.
        is_needed: whether the matrix cannot be read without it.
    """

    field: str
    name: str
    dtypes: tuple[str, ...]
    shapes: tuple[Shape, ...]
    is_needed: bool = True


def pieces_of(name: str, shape: Shape, stored: Collection[str]) -> list[Piece]:
    """Where official tensor `name` lies; one piece unless its experts are stored one by one."""
    if not is_unstacked(name, stored):
        return [Piece(name, shape)]
    return expert_pieces(name, shape)


def expert_pieces(name: str, shape: Shape) -> list[Piece]:
    """The experts' own matrices of a stack, [experts, rows, columns], in its order."""
    prefix = name.removesuffix("gate_up_proj").removesuffix("down_proj")
    num_experts, num_rows, num_columns = shape
    pieces: list[Piece] = []
    for idx in range(num_experts):
        if name.endswith(_DOWN):
            pieces.append(Piece(f"{prefix}{idx}.down_proj.weight", (num_rows, num_columns), (idx,)))
            continue
        half = (num_rows // 2, num_columns)
        for projection, begin in (("gate_proj", 0), ("up_proj", half[0])):
            rows = slice(begin, begin + half[0])
            pieces.append(Piece(f"{prefix}{idx}.{projection}.weight", half, (idx, rows)))
    return pieces


def is_unstacked(name: str, stored: Collection[str]) -> bool:
    """Whether `name` is a stack of experts of which the first is stored by itself."""
    if not name.endswith((_GATE_UP, _DOWN)) or name in stored:
        return False
    projection = "down_proj" if name.endswith(_DOWN) else "gate_proj"
    first = f"{name.removesuffix('gate_up_proj').removesuffix('down_proj')}0.{projection}."
    endings = ("weight", "weight_packed", "qweight")
    return any(first + ending in stored for ending in endings)


def parts_of(piece: Piece, how: WeightFormat) -> list[Part]:
    """The tensors that hold `piece` quantised as `how`, the packed numbers first."""
    name, shape = piece.name, piece.shape
    rows, columns = shape[:-1], shape[-1]
    scale = name + SCALE_SUFFIX
    if how.name in ("int8", "fp8"):
        dtype = "I8" if how.name == "int8" else "F8_E4M3"
        return [
            Part("packed", name, (dtype,), (shape,)),
            Part("scale", scale, FLOATS, (rows, (*rows, 1))),
        ]
    if how.name == "awq":
        return _awq_parts(name.removesuffix("weight"), rows[0], columns, how)
    groups = columns // how.group_size if how.group_size else 1
    scales = (*rows, groups)
    if how.name == "packed_int":
        packed = (*rows, -(-columns * how.num_bits // 32))
        zeros = (-(-rows[0] * how.num_bits // 32), groups)
        parts = [
            Part("packed", f"{name}_packed", ("I32",), (packed,)),
            Part("scale", scale, FLOATS, (scales,)),
            Part("", f"{name}_shape", _INTEGERS, ((len(shape),),), is_needed=False),
            Part("group_idx", f"{name}_g_idx", _INTEGERS, ((columns,),), is_needed=False),
        ]
        if not how.is_symmetric:
            parts.append(Part("zero_point", f"{name}_zero_point", ("I32",), (zeros,)))
        return parts
    is_modelopt = how.name == "nvfp4_modelopt"
    overall = f"{name}_scale_2" if is_modelopt else f"{name}_global_scale"
    module = name.removesuffix("weight")
    for_activations = f"{module}input_scale" if is_modelopt else f"{module}input_global_scale"
    packed_name = name if is_modelopt else f"{name}_packed"
    return [
        Part("packed", packed_name, ("U8",), ((*rows, columns // 2),)),
        Part("scale", scale, ("F8_E4M3",), (scales,)),
        Part("global_scale", overall, ("F32",), ((), (1,))),
        Part("", for_activations, FLOATS, ((), (1,)), is_needed=False),
    ]


def _awq_parts(module: str, rows: int, columns: int, how: WeightFormat) -> list[Part]:
    groups = columns // how.group_size if how.group_size else 1
    return [
        Part("packed", f"{module}qweight", ("I32",), ((columns, rows // 8),)),
        Part("scale", f"{module}scales", FLOATS, ((groups, rows),)),
        Part("zero_point", f"{module}qzeros", ("I32",), ((groups, rows // 8),)),
    ]
