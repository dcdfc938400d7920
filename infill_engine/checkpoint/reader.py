"""Named tensors in one or many safetensors files, memory-mapped and checked when opened.

Knows nothing of what the tensors mean.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from infill_engine.api import CheckpointError
from infill_engine.model.config import read_json_object

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"

_POINTER_START = b"version https://git-lfs"


class TensorFiles:
    """All tensors of a model folder by name; reading one touches only its own bytes."""

    def __init__(self, folder: Path) -> None:
        """Open every file of `folder` and read their headers.

        Raises:
            CheckpointError: a file is missing, damaged, or does not hold what the index promises.
        """
        self._folder = folder
        if (folder / SINGLE_FILE).exists():
            promised: dict[str, set[str]] = {SINGLE_FILE: set()}
        elif (folder / INDEX_FILE).exists():
            promised = _read_index(folder / INDEX_FILE)
        else:
            raise CheckpointError(
                f"{folder} has neither {SINGLE_FILE} nor {INDEX_FILE}; is this a model folder?"
            )
        self._handles: dict[str, Any] = {}
        self._names_of: dict[str, list[str]] = {}
        for file_name, names in promised.items():
            self._open(file_name, names)

    def names(self) -> Iterable[str]:
        """Every tensor stored, of all files."""
        return self._handles.keys()

    def names_by_file(self) -> Mapping[str, list[str]]:
        """File name to the tensors it holds."""
        return self._names_of

    def shape(self, name: str) -> tuple[int, ...]:
        """Sizes as stored, read from the header."""
        return tuple(self._handles[name].get_slice(name).get_shape())

    def dtype(self, name: str) -> str:
        """Element type in safetensors' spelling: F32, F16, BF16, I8 or another."""
        return self._handles[name].get_slice(name).get_dtype()

    def read(self, name: str) -> Tensor:
        """The tensor on the CPU, backed by the file: pages are loaded when first touched.

        Raises:
            CheckpointError: the file cannot be read any more.
        """
        try:
            return self._handles[name].get_tensor(name)
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{self._folder}: {name} cannot be read: {error}.") from error

    def _open(self, file_name: str, promised: set[str]) -> None:
        path = self._folder / file_name
        try:
            handle = safe_open(path, framework="pt")
            stored = set(handle.keys())
        except FileNotFoundError:
            raise CheckpointError(
                f"{path} does not exist, but {INDEX_FILE} names it; the folder is incomplete."
            ) from None
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(_what_is_wrong(path, error)) from None
        if missing := sorted(promised - stored):
            raise CheckpointError(
                f"{path} lacks {missing[0]}, which {INDEX_FILE} places there "
                f"({len(missing)} such); fetch that file again."
            )
        if twice := sorted(stored & self._handles.keys()):
            raise CheckpointError(
                f"{twice[0]} is in {path} and in another file too; keep only one."
            )
        self._handles |= dict.fromkeys(stored, handle)
        self._names_of[file_name] = sorted(stored)


def _read_index(path: Path) -> dict[str, set[str]]:
    """File name to the tensors the index places there."""
    weight_map = read_json_object(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{path} has no weight_map; fetch that file again.")
    promised: dict[str, set[str]] = {}
    for name, file_name in weight_map.items():
        if not isinstance(file_name, str) or Path(file_name).name != file_name:
            raise CheckpointError(
                f"{path} places {name} in {file_name!r}; a file name in the same folder is needed."
            )
        promised.setdefault(file_name, set()).add(name)
    return promised


def _what_is_wrong(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(len(_POINTER_START))
    except OSError as cause:
        return f"{path} cannot be read: {cause.strerror}."
    if start == _POINTER_START:
        return f"{path} is a Git LFS pointer, not the weights; run `git lfs pull` in its folder."
    num_bytes = path.stat().st_size
    return f"{path} is damaged or cut short ({num_bytes} bytes: {error}); fetch or export it again."
