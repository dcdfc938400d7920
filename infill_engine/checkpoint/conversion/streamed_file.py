"""Reads tensors of one safetensors file by plain reads instead of a mapping.

Memory then holds the tensor asked for and no other, and a file that is cut short meanwhile is an
error rather than the end of the process. The header has been checked by `reader.TensorFiles`.
Knows nothing of what the tensors mean.
"""

import json
from math import prod
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

from infill_engine.api import CheckpointError
from infill_engine.checkpoint.conversion.recipe import TensorSpec

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


class StreamedFile:
    """One open file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        header_bytes = int.from_bytes(self._file.read(8), "little")
        self._header = json.loads(self._file.read(header_bytes))
        self._data_begin = 8 + header_bytes

    def __enter__(self) -> "StreamedFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def read(self, spec: TensorSpec) -> Tensor:
        """The numbers of a tensor, in memory of their own.

        Raises:
            CheckpointError: the file has become shorter, or its numbers are of an unknown type.
        """
        dtype = _DTYPES.get(spec.dtype)
        if dtype is None:
            raise CheckpointError(f"{spec.name} is stored as {spec.dtype}, which is not known.")
        out = torch.empty(prod(spec.shape), dtype=dtype)
        self._file.seek(self._data_begin + self._header[spec.name]["data_offsets"][0])
        data = out.view(torch.uint8).numpy().data
        if self._file.readinto(data) != spec.num_bytes:
            raise CheckpointError(
                f"{self._path} is damaged: {spec.name} ends early. Fetch it again."
            )
        return out.view(spec.shape)
