"""Checkpoints in pieces: written whole or not at all, small enough to carry one at a time.

A checkpoint is a folder of `part-NNNNN.bin` files and `manifest.json` with each one's size and
SHA-256. A "full" one resumes bit-exactly; a "weights" one holds bfloat16 masters only (a sixth
of the size) and resumes with fresh moments. Knows nothing of what the state means.
"""

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import torch

PIECE_BYTES = 15 * 2**20
_MANIFEST = "manifest.json"


class StateError(Exception):
    """A checkpoint is incomplete or damaged; says which file and what to do."""


def save_state(folder: Path, state: dict[str, Any], summary: dict[str, Any]) -> None:
    """Replace the checkpoint in `folder`; an interrupted save leaves the former one in place.

    Args:
        folder: created or replaced.
        state: anything `torch.save` takes; loaded back with `weights_only=True`.
        summary: JSON values shown in the manifest, for people.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getbuffer()
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    pieces: list[dict[str, Any]] = []
    for begin in range(0, len(data), PIECE_BYTES):
        piece = data[begin : begin + PIECE_BYTES]
        name = f"part-{len(pieces):05d}.bin"
        (fresh / name).write_bytes(piece)
        digest = hashlib.sha256(piece).hexdigest()
        pieces.append({"name": name, "bytes": len(piece), "sha256": digest})
    text = json.dumps({"summary": summary, "pieces": pieces}, indent=1)
    (fresh / _MANIFEST).write_text(text + "\n", encoding="utf-8")
    former = folder.with_name(folder.name + ".old")
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.rename(former)
    fresh.rename(folder)
    shutil.rmtree(former, ignore_errors=True)


def load_state(folder: Path) -> dict[str, Any]:
    """Join and check the pieces, and read the state, onto the CPU.

    Raises:
        StateError: a piece is missing, short or changed.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise StateError(f"{folder} holds no readable {_MANIFEST}: {error}.") from None
    buffer = io.BytesIO()
    for piece in manifest["pieces"]:
        path = folder / piece["name"]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StateError(f"{path} cannot be read ({error}); copy every piece again.") from None
        if hashlib.sha256(data).hexdigest() != piece["sha256"]:
            raise StateError(
                f"{path} has {len(data)} bytes that do not match its SHA-256, expected "
                f"{piece['bytes']}; copy this piece again."
            )
        buffer.write(data)
    buffer.seek(0)
    return torch.load(buffer, map_location="cpu", weights_only=True)


def has_state(folder: Path) -> bool:
    """Whether `folder` holds a finished checkpoint."""
    return (folder / _MANIFEST).is_file()


def weights_only(state: dict[str, Any]) -> dict[str, Any]:
    """The same state with bfloat16 masters (the averaged ones) and neither averages nor moments."""
    optimizer = state["optimizer"]
    prefix = "average/"
    masters = {
        f"master/{name.removeprefix(prefix)}": tensor.bfloat16()
        for name, tensor in optimizer["tensors"].items()
        if name.startswith(prefix)
    }
    return {**state, "optimizer": {"num_steps": 0, "tensors": masters}}
