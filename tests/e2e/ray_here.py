"""A folder for Ray of the tests' own, and the certainty that no process of it is left behind."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 180.0


@contextlib.contextmanager
def ray_folder() -> Iterator[Path]:
    """Yield a folder for Ray; afterwards no process that names it may be left."""
    # A short path: Ray puts sockets in it, and their paths must stay below 108 characters.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(folder))
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'kernels'}")
        patch.delenv("RAY_ADDRESS", raising=False)
        try:
            yield folder
        finally:
            give_up_s = time.monotonic() + 60
            while (left := processes_of(folder)) and time.monotonic() < give_up_s:
                time.sleep(0.1)
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            shutil.rmtree(folder, ignore_errors=True)
            assert not left, f"left behind: {left}"


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes of the Ray in `folder`."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid == psutil.Process().pid:
                continue
            is_its = any(str(folder) in argument for argument in process.cmdline())
            is_worker = process.environ().get("RAY_TMPDIR") == str(folder)
            if (is_its or is_worker) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
