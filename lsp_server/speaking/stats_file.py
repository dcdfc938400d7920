"""Keeps the counters in the user's state folder: one JSON file, shared by all editors.

Each server adds what it has counted since it last did; nothing of it ever leaves the machine.
Knows nothing of what is counted.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_state_path

from lsp_server.speaking.stats import Stats

STATE_DIR_VARIABLE = "INFILL_LS_STATE_DIR"
"""Environment variable that names another folder."""
_MAX_FILE_BYTES = 1_000_000
_LOCK_TIMEOUT_S = 1.0


def stats_file() -> Path:
    """Return the path of the file, which need not exist."""
    named = os.environ.get(STATE_DIR_VARIABLE, "")
    return (Path(named) if named else user_state_path("infill-ls")) / "stats.json"


def read_stats(path: Path) -> Stats:
    """Return what is counted; nothing when the file is missing or damaged."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return Stats()
        return Stats.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return Stats()


def add_to_stats(path: Path, new: Stats, timeout_s: float = 0.0) -> bool:
    """Add `new` to the file; a reader sees the old numbers or the new ones, never a part.

    Args:
        path: the file; made, and its folder, if missing.
        new: counted since the last time. The caller drops it once this has returned True.
        timeout_s: how long to wait for another process that is writing; 0 for event loops.

    Returns:
        Whether it was written. Never raises: nobody's work stops for statistics.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=timeout_s):
            stats = read_stats(path)
            stats.add(new)
            _replace(path, json.dumps(stats.as_json()))
    except (OSError, Timeout):
        return False
    return True


def reset_stats(path: Path) -> None:
    """Begin at zero again.

    Raises:
        OSError: the file can not be removed, or another process holds it for long.
    """
    if not path.exists():
        return
    with FileLock(path.with_suffix(".lock"), timeout=_LOCK_TIMEOUT_S):
        path.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix="stats-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink(missing_ok=True)
        raise
