"""How far a conversion has come, kept in its folder, so that an interrupted one can go on.

While the file is there, the folder is no finished model. Knows nothing of what is converted.
"""

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infill_engine.api import CheckpointError
from infill_engine.checkpoint.conversion.shard_file import file_hash

PROGRESS_FILE = ".quantize-progress.json"


@dataclass(slots=True)
class ConversionProgress:
    """What is being made of what, and which files are done.

    Attributes:
        target: the format written.
        source: identifies the source's files by their sizes and headers.
        done: file name to its bytes and SHA-256.
    """

    target: str
    source: dict[str, Any]
    done: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "ConversionProgress | None":
        """What `folder` holds of it; None without a file.

        Raises:
            CheckpointError: the file cannot be understood.
        """
        path = folder / PROGRESS_FILE
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            found = cls(raw["target"], raw["source"], raw["done"])
            if not all({"bytes", "sha256"} <= entry.keys() for entry in found.done.values()):
                raise ValueError
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise CheckpointError(
                f"{path} cannot be read; remove {folder} and start again."
            ) from None
        return found

    def write(self, folder: Path) -> None:
        """Replace the file at once."""
        path = folder / PROGRESS_FILE
        fresh = path.with_name(f"{path.name}.new")
        try:
            fresh.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    def add(self, folder: Path, name: str) -> None:
        """Count a file that has just been written."""
        path = folder / name
        self.done[name] = {"bytes": path.stat().st_size, "sha256": file_hash(path)}
        self.write(folder)

    def is_done(self, folder: Path, name: str) -> bool:
        """Whether a file is there as it was written: same size, same bytes."""
        entry, path = self.done.get(name), folder / name
        if entry is None:
            return False
        with contextlib.suppress(OSError):
            return path.stat().st_size == entry["bytes"] and file_hash(path) == entry["sha256"]
        return False


def remove_progress(folder: Path) -> None:
    """The conversion is complete."""
    (folder / PROGRESS_FILE).unlink(missing_ok=True)
    if hasattr(os, "O_DIRECTORY"):  # so that a power cut does not bring it back
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
