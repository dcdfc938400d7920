"""Writes one safetensors file tensor by tensor, for it to appear whole or not at all.

Its size is reserved first, so that a full disk shows before the work. Knows nothing of models.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from infill_engine.checkpoint.conversion.recipe import TensorSpec

PARTIAL_SUFFIX = ".partial"

_ALIGNMENT = 8  # of the header's end, and so of the largest numbers
_READ_BYTES = 8_388_608


def write_shard(
    path: Path, specs: Sequence[TensorSpec], tensors: Iterable[tuple[TensorSpec, Tensor]]
) -> None:
    """Write `path`; under another name until it is whole.

    Args:
        path: replaced if it is there.
        specs: what the file will hold.
        tensors: every one of `specs` once, in any order, with its numbers.

    Raises:
        OSError: the disk is full or cannot be written; nothing is left behind.
    """
    header, begin_of = _layout(specs)
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        with partial.open("wb") as file:
            _reserve(file.fileno(), len(header) + sum(spec.num_bytes for spec in specs))
            file.write(header)
            for spec, tensor in tensors:
                assert tuple(tensor.shape) == spec.shape, spec
                data = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
                assert len(data) == spec.num_bytes, spec
                file.seek(begin_of.pop(spec.name))
                file.write(data.data)
            assert not begin_of, f"{len(begin_of)} tensors were not given"
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def shard_bytes(specs: Sequence[TensorSpec]) -> int:
    """Size of the file that `write_shard` makes."""
    return len(_layout(specs)[0]) + sum(spec.num_bytes for spec in specs)


def file_hash(path: Path) -> str:
    """SHA-256 of a whole file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _layout(specs: Sequence[TensorSpec]) -> tuple[bytes, dict[str, int]]:
    """The file's first bytes, and where in the file each tensor begins."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset_of: dict[str, int] = {}
    offset = 0
    # Larger numbers first: then each lies at a multiple of its size, as a reader's views need.
    for spec in sorted(specs, key=lambda spec: -spec.element_bytes):
        end = offset + spec.num_bytes
        entries[spec.name] = {
            "dtype": spec.dtype,
            "shape": list(spec.shape),
            "data_offsets": [offset, end],
        }
        offset_of[spec.name] = offset
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    header = len(text).to_bytes(8, "little") + text
    return header, {name: len(header) + begin for name, begin in offset_of.items()}


def _reserve(descriptor: int, num_bytes: int) -> None:
    if num_bytes and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, num_bytes)
    else:
        os.ftruncate(descriptor, num_bytes)
