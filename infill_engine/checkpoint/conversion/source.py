"""The checkpoint to be quantised: checked as if it were loaded, and identified.

Knows nothing of what becomes of it.
"""

import hashlib
from pathlib import Path
from typing import Any

from infill_engine.api import CheckpointError
from infill_engine.checkpoint import layout
from infill_engine.checkpoint.conversion.recipe import TensorSpec
from infill_engine.checkpoint.reader import TensorFiles
from infill_engine.checkpoint.weights import OfficialWeights
from infill_engine.model.config import read_model_config
from infill_engine.model.quantization import read_weight_format

_COPIED = ("*.json", "*.jinja", "*.model", "LICENSE*")
_NOT_COPIED = ("config.json", "model.safetensors.index.json")


class SourceCheckpoint:
    """A folder of floats in the official layout.

    Attributes:
        folder: where it is.
        raw_config: its config.json.
        files: its tensors.
    """

    def __init__(self, folder: Path) -> None:
        """Read configuration and headers.

        Raises:
            CheckpointError: something is missing, damaged, does not fit or is quantised already.
        """
        self.folder = folder
        config, self.raw_config = read_model_config(folder)
        how = read_weight_format(self.raw_config)
        if how is not None:
            raise CheckpointError(
                f"{folder} is quantised already ({how.title}), and rounding twice loses more; "
                "quantise the original release."
            )
        OfficialWeights(folder, layout.decoder_tensors(config), None)
        self.files = TensorFiles(folder)

    def specs_by_file(self) -> dict[str, list[TensorSpec]]:
        """What every file holds."""
        files = self.files
        return {
            file_name: [TensorSpec(name, files.dtype(name), files.shape(name)) for name in names]
            for file_name, names in files.names_by_file().items()
        }

    def identity(self) -> dict[str, Any]:
        """Differs for other weights of the same kind, without reading them all.

        Of each file its size and the hash of its header, of config.json the hash.
        """
        identity: dict[str, Any] = {"config.json": _hash_of(self.folder / "config.json")}
        for name in self.files.names_by_file():
            path = self.folder / name
            with path.open("rb") as file:
                length = file.read(8)
                header = file.read(int.from_bytes(length, "little"))
            identity[name] = [path.stat().st_size, hashlib.sha256(header).hexdigest()]
        return identity

    def companions(self) -> list[Path]:
        """The files beside the weights that go along unchanged: tokenizer, templates, settings."""
        found = {path for pattern in _COPIED for path in self.folder.glob(pattern)}
        return sorted(p for p in found if p.is_file() and p.name not in _NOT_COPIED)


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
