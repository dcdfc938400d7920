"""Official tensors out of a model folder, whatever they are stored as: checked, then read.

The seam between files and modules: `read` gives floats, `stored` what is on disk, for whoever
computes with it as it is. Knows nothing of modules.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from infill_engine.api import CheckpointError
from infill_engine.checkpoint import layout
from infill_engine.checkpoint.pieces import FLOATS, Part, Piece, parts_of, pieces_of
from infill_engine.checkpoint.reader import TensorFiles
from infill_engine.checkpoint.stored_weight import StoredWeight
from infill_engine.model.quantization import WeightFormat

_CACHE_SCALES = ("self_attn.k_scale", "self_attn.v_scale", "k_proj.k_scale", "v_proj.v_scale")
"""For a cache of rounded keys and values, which this engine does not keep: read past."""


class OfficialWeights:
    """The decoder's tensors by their official names."""

    def __init__(
        self, folder: Path, expected: Mapping[str, layout.Shape], how: WeightFormat | None
    ) -> None:
        """Open the files and compare names, shapes, types and copies with what is needed.

        Args:
            folder: of the safetensors.
            expected: official names and shapes, see `layout.decoder_tensors`.
            how: what config.json says of quantised matrices; None when it says nothing.

        Raises:
            CheckpointError: a tensor is missing, unknown, damaged or does not fit; names it.
        """
        self._files = TensorFiles(folder)
        self._names = set(self._files.names())
        self._how = how or WeightFormat("int8")
        self._pieces = {
            name: pieces_of(name, shape, self._names) for name, shape in expected.items()
        }
        self._expected = expected
        known: set[str] = set()
        for pieces in self._pieces.values():
            for piece in pieces:
                known |= self._check(piece)
        self._check_nothing_else(known)
        self._check_copies()

    def dtype(self, name: str) -> str | None:
        """Element type of a tensor stored whole; None when it is stored in several."""
        (first, *others) = self._pieces[name]
        return None if others or first.name not in self._names else self._files.dtype(first.name)

    def stored_as(self, name: str) -> WeightFormat | None:
        """How all of a tensor's pieces are quantised; None when one is floats."""
        return None if any(map(self._is_float, self._pieces[name])) else self._how

    def is_reordered(self, name: str) -> bool:
        """Whether a piece has groups that are no runs of columns."""
        return any(f"{piece.name}_g_idx" in self._names for piece in self._pieces[name])

    def stored(self, name: str) -> Iterator[tuple[Piece, StoredWeight | Tensor]]:
        """The pieces of an official tensor in its order, on the CPU, backed by the files.

        Raises:
            CheckpointError: a file cannot be read any more, or its numbers make no sense.
        """
        for piece in self._pieces[name]:
            if self._is_float(piece):
                yield piece, self._files.read(piece.name)
            else:
                yield piece, self._quantized(piece)

    def read(self, name: str, device: torch.device, dtype: torch.dtype) -> Tensor:
        """An official tensor as floats; what is stored as asked for is a view of the file."""
        out: Tensor | None = None
        for piece, found in self.stored(name):
            moved = found.to(device)
            value = moved.to(dtype) if isinstance(moved, Tensor) else moved.dequantize(dtype)
            if not piece.place:
                return value
            if out is None:
                out = torch.empty(self._expected[name], dtype=dtype, device=device)
            out[piece.place] = value
        assert out is not None
        return out

    def _is_float(self, piece: Piece) -> bool:
        return piece.name in self._names and self._files.dtype(piece.name) in FLOATS

    def _quantized(self, piece: Piece) -> StoredWeight:
        tensors: dict[str, Tensor] = {}
        for part in parts_of(piece, self._how):
            if part.name not in self._names:
                continue
            tensor = self._files.read(part.name)
            if part.name.endswith("_shape") and tensor.tolist() != list(piece.shape):
                raise CheckpointError(
                    f"{part.name} says {tensor.tolist()}; config.json asks for {list(piece.shape)}."
                )
            if part.field:
                tensors[part.field] = tensor
        index = tensors.get("group_idx")
        if index is not None and (index.min() < 0 or index.max() >= tensors["scale"].shape[-1]):
            raise CheckpointError(
                f"{piece.name}_g_idx names group {int(index.max())} or less than 0; there are "
                f"{tensors['scale'].shape[-1]} groups. Fetch or export that file again."
            )
        return StoredWeight(self._how, piece.shape, **tensors)

    def _check(self, piece: Piece) -> set[str]:
        """Check a piece and return the names of its tensors."""
        if self._is_float(piece):
            scale = piece.name + layout.SCALE_SUFFIX
            if scale in self._names:
                dtype = self._files.dtype(piece.name)
                raise CheckpointError(
                    f"The checkpoint has {scale}, but {piece.name} is {dtype}, not quantised."
                )
            self._check_shape(piece.name, (piece.shape,))
            return {piece.name}
        parts = parts_of(piece, self._how) if len(piece.shape) >= 2 else []
        if not parts or parts[0].name not in self._names:
            self._refuse(piece)
        self._check_divides(piece)
        for part in parts:
            if part.name in self._names:
                self._check_part(piece, part)
            elif part.is_needed:
                what = "scales" if part.field == "scale" else part.field.replace("_", " ")
                raise CheckpointError(
                    f"{parts[0].name} is stored as {self._how.title}, but its {what} {part.name} "
                    "are missing; fetch or export the checkpoint again."
                )
        return {part.name for part in parts}

    def _refuse(self, piece: Piece) -> None:
        """Say why a piece that is neither floats nor quantised as expected cannot be read."""
        if piece.name not in self._names:
            also = f" or {self._how.title}" if len(piece.shape) >= 2 else ""
            raise CheckpointError(
                f"The checkpoint lacks {piece.name}, expected with shape {list(piece.shape)} in "
                f"floats{also}; config.json and the weights do not fit together."
            )
        dtype = self._files.dtype(piece.name)
        if len(piece.shape) < 2:
            raise CheckpointError(
                f"{piece.name} is stored as {dtype}; only matrices may be quantised."
            )
        raise CheckpointError(
            f"{piece.name} is stored as {dtype}; only {', '.join(FLOATS)} and, as config.json has "
            f"it, {self._how.title} can be loaded."
        )

    def _check_divides(self, piece: Piece) -> None:
        rows, columns = piece.shape[-2:]
        group_size = self._how.group_size or 1
        if columns % group_size:
            raise CheckpointError(
                f"{piece.name} has {columns} columns, which groups of {group_size} do not divide; "
                "config.json and the weights do not fit together."
            )
        if self._how.name not in ("int8", "fp8") and len(piece.shape) > 2:
            raise CheckpointError(
                f"{piece.name} is a stack stored as {self._how.title}; of these, only single "
                "matrices can be read."
            )
        if self._how.name == "awq" and rows % 8:
            raise CheckpointError(f"{piece.name} has {rows} rows; AWQ packs eight together.")

    def _check_part(self, piece: Piece, part: Part) -> None:
        dtype = self._files.dtype(part.name)
        if dtype not in part.dtypes:
            if part.name == piece.name:
                self._refuse(piece)
            raise CheckpointError(
                f"{part.name} is {dtype} of shape {list(self._files.shape(part.name))}; "
                f"{self._how.title} needs {' or '.join(part.dtypes)}."
            )
        self._check_shape(part.name, part.shapes)

    def _check_shape(self, name: str, allowed: tuple[layout.Shape, ...]) -> None:
        got = self._files.shape(name)
        if got not in allowed:
            wanted = " or ".join(str(list(shape)) for shape in allowed)
            raise CheckpointError(f"{name} has shape {list(got)}; config.json asks for {wanted}.")

    def _check_nothing_else(self, known: set[str]) -> None:
        for name in sorted(self._names):
            if layout.is_vision(name) or name.endswith(_CACHE_SCALES):
                continue
            if name not in known and (layout.original_of(name) or name) not in known:
                raise CheckpointError(
                    f"The checkpoint has {name} of shape {list(self._files.shape(name))}, which a "
                    "DiffusionGemma of this config.json does not have."
                )

    def _check_copies(self) -> None:
        """Encoder and decoder are one network here, so that what is stored for both must agree."""
        files = self._files
        for name in sorted(self._names):
            original = layout.original_of(name)
            if original is None or layout.is_vision(name) or name.endswith(_CACHE_SCALES):
                continue
            is_alike = (
                original in self._names
                and files.shape(name) == files.shape(original)
                and files.dtype(name) == files.dtype(original)
            )
            if not is_alike or not _is_equal(files.read(name), files.read(original)):
                raise CheckpointError(
                    f"{name} differs from {original}; both must hold the same values, since one "
                    "set of weights serves as encoder and decoder."
                )


def _is_equal(one: Tensor, other: Tensor) -> bool:
    if one.dtype == torch.float8_e4m3fn:  # has no comparison of its own
        one, other = one.view(torch.uint8), other.view(torch.uint8)
    return torch.equal(one, other)
