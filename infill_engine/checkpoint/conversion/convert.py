"""Quantises a checkpoint into a new folder: read `quantize_checkpoint`.

Holds one tensor at a time. Every file appears whole or not at all and config.json comes last, so
that what is unfinished never looks like a model. Knows nothing of how progress is shown.
"""

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import Tensor

from infill_engine.api import CheckpointError
from infill_engine.checkpoint.conversion.progress_file import (
    PROGRESS_FILE,
    ConversionProgress,
    remove_progress,
)
from infill_engine.checkpoint.conversion.recipe import TensorSpec, becomes, converted
from infill_engine.checkpoint.conversion.shard_file import (
    PARTIAL_SUFFIX,
    shard_bytes,
    write_shard,
)
from infill_engine.checkpoint.conversion.source import SourceCheckpoint
from infill_engine.checkpoint.conversion.streamed_file import StreamedFile
from infill_engine.checkpoint.quantization_config import Target, quantization_config
from infill_engine.checkpoint.reader import INDEX_FILE

Report = Callable[[str, float], None]

_LOCK_FILE = ".quantize.lock"
_SPARE_BYTES = 67_108_864  # for the tokenizer and the rest, so that free space is not misjudged


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was done.

    Attributes:
        num_files: weight files of the result.
        num_kept: of these, files that an interrupted conversion had finished.
        source_bytes: of the weight files read.
        num_bytes: of those written.
    """

    num_files: int
    num_kept: int
    source_bytes: int
    num_bytes: int


def quantize_checkpoint(
    source: Path, dest: Path, target: Target, report: Report | None = None
) -> Conversion:
    """Write `source`, a checkpoint of floats, to `dest` in another format.

    1. Check the source as if it were loaded.
    2. Plan the files: as many as the source has, under the same names.
    3. Claim the folder: a new one, or one that an interrupted conversion left.
    4. Check that the disk has room.
    5. Write what is not done yet, file by file.
    6. Write the index, copy the tokenizer and its like, and last write config.json.

    Args:
        source: a model folder; only read.
        dest: made when missing.
        target: "fp8" and "int4" in the layout of compressed-tensors, "int8" in the project's own.
        report: called with what is being done and the share done, 0 to 1.

    Raises:
        CheckpointError: the source is damaged, the folder taken or the disk full; what is
            finished stays, and the same call goes on from there.
    """
    report = report or (lambda _what, _share: None)
    # 1. Check the source.
    report("checking the source", 0.0)
    checkpoint = SourceCheckpoint(source)
    # 2. Plan the files.
    stored = checkpoint.specs_by_file()
    planned = {
        file_name: [spec for one in specs for spec in becomes(one, target)]
        for file_name, specs in stored.items()
    }
    try:
        # 3. Claim the folder.
        is_new = not dest.exists()
        progress = _claim(dest, source, ConversionProgress(target, checkpoint.identity()))
        with FileLock(dest / _LOCK_FILE, timeout=0):
            for leftover in dest.glob(f"*{PARTIAL_SUFFIX}"):
                leftover.unlink()
            report("checking finished files", 0.0)
            kept = {name for name in planned if progress.is_done(dest, name)}
            # 4. Check that the disk has room.
            missing = {name: specs for name, specs in planned.items() if name not in kept}
            _check_space(dest, sum(map(shard_bytes, missing.values())), is_new)
            progress.write(dest)
            # 5. Write what is not done yet.
            total = sum(spec.num_bytes for specs in planned.values() for spec in specs)
            done = sum(spec.num_bytes for name in kept for spec in planned[name])
            for name, specs in missing.items():

                def note(num_bytes: int, name: str = name) -> None:
                    nonlocal done
                    done += num_bytes
                    report(name, done / total)

                with StreamedFile(source / name) as file:
                    tensors = _tensors(file, stored[name], target, note)
                    write_shard(dest / name, specs, tensors)
                progress.add(dest, name)
            # 6. Write the rest.
            _write_rest(checkpoint, dest, planned, target)
        (dest / _LOCK_FILE).unlink(missing_ok=True)
    except Timeout:
        raise CheckpointError(f"Another process is quantising into {dest}; wait for it.") from None
    except OSError as error:
        raise CheckpointError(_what_failed(dest, error)) from error
    return Conversion(
        num_files=len(planned),
        num_kept=len(kept),
        source_bytes=sum((source / name).stat().st_size for name in planned),
        num_bytes=sum(map(shard_bytes, planned.values())),
    )


def _claim(dest: Path, source: Path, wanted: ConversionProgress) -> ConversionProgress:
    """Make sure that the folder is ours to fill; returns what is done in it."""
    if dest.exists() and (not dest.is_dir() or dest.samefile(source)):
        raise CheckpointError(f"{dest} is not a new folder; name one to write to.")
    dest.mkdir(parents=True, exist_ok=True)
    found = ConversionProgress.read(dest)
    if found is None:
        others = [path.name for path in dest.iterdir() if path.name != _LOCK_FILE]
        if others:
            raise CheckpointError(
                f"{dest} holds {others[0]} already; nothing is overwritten. Name a new folder."
            )
        return wanted
    if (found.target, found.source) != (wanted.target, wanted.source):
        raise CheckpointError(
            f"{dest} holds an unfinished conversion to {found.target} of another source or with "
            "another target; remove it or name a new folder."
        )
    return found


def _tensors(
    file: StreamedFile, stored: list[TensorSpec], target: Target, note: Callable[[int], None]
) -> Iterator[tuple[TensorSpec, Tensor]]:
    for one in stored:
        specs = becomes(one, target)
        if not specs:
            continue
        for spec, tensor in zip(specs, converted(one, file.read(one), target), strict=True):
            yield spec, tensor
            note(spec.num_bytes)


def _write_rest(
    checkpoint: SourceCheckpoint,
    dest: Path,
    planned: dict[str, list[TensorSpec]],
    target: Target,
) -> None:
    if (checkpoint.folder / INDEX_FILE).exists() and len(planned) > 1:
        weight_map = {spec.name: name for name, specs in planned.items() for spec in specs}
        total = sum(spec.num_bytes for specs in planned.values() for spec in specs)
        _write_json(
            dest / INDEX_FILE, {"metadata": {"total_size": total}, "weight_map": weight_map}
        )
    for path in checkpoint.companions():
        shutil.copyfile(path, dest / path.name)
    config = checkpoint.raw_config | {"quantization_config": quantization_config(target)}
    _write_json(dest / "config.json", config)
    remove_progress(dest)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _check_space(dest: Path, num_bytes: int, is_new: bool) -> None:
    free, needed = shutil.disk_usage(dest).free, num_bytes + _SPARE_BYTES
    if free >= needed:
        return
    if is_new:
        (dest / _LOCK_FILE).unlink(missing_ok=True)
        dest.rmdir()
    raise OSError(errno.ENOSPC, f"{needed / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free")


def _what_failed(dest: Path, error: OSError) -> str:
    cause = error.strerror or str(error)
    if error.errno == errno.ENOSPC:
        going_on = (
            "; what is finished stays, and the same command goes on"
            if (dest / PROGRESS_FILE).exists()
            else ""
        )
        return f"The disk of {dest} is full ({cause}); free some space and try again{going_on}."
    return f"{error.filename or dest} cannot be read or written: {cause}."
