"""Starts an engine as a process of its own that outlives whoever started it.

Called under the launcher's lock. Knows nothing of models or health.
"""

import subprocess
import sys
import time
from pathlib import Path

from infill_client.settings import EngineSettings
from infill_engine.api import EngineUnavailable
from infill_engine.process_state import (
    EngineState,
    find_process,
    log_folder,
    read_state,
    runtime_folder,
)

_START_TIMEOUT_S = 60.0
"""Longest wait for the port: only imports happen before it, but disks can be slow."""
_POLL_S = 0.02
_MAX_WORDS_CHARS = 500

_children: list[subprocess.Popen[bytes]] = []
"""Engines this process started, kept so that an ended one is reaped at the next start."""


def spawn_engine(settings: EngineSettings) -> "subprocess.Popen[bytes]":
    """Start an engine detached from this process and its terminal.

    Raises:
        EngineUnavailable: the program cannot be run.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    # -P: the current folder, which may hold a user's random.py, stays off the import path.
    command = settings.command or (sys.executable, "-P", "-m", "infill_engine.server")
    command = (*command, "--model", settings.model, "--device", settings.device)
    command = (*command, "--dtype", settings.dtype, "--kv-cache", settings.kv_cache)
    command = (*command, "--idle-exit-minutes", f"{settings.idle_exit_minutes:g}")
    if settings.num_threads is not None:
        command = (*command, "--num-threads", str(settings.num_threads))
    if settings.max_context_tokens is not None:
        command = (*command, "--max-context-tokens", str(settings.max_context_tokens))
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        with _words_file().open("wb") as words:
            # Takes the file's first block now: on a full disk the engine's own words were lost.
            words.write(b"\n")
            words.flush()
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd=runtime_folder(),
                start_new_session=sys.platform != "win32",
                creationflags=flags,
            )
    except OSError as error:
        place = f" ({error.filename})" if error.filename else f" ({_words_file()})"
        raise EngineUnavailable(
            f"The engine could not be started: {error.strerror or error}{place}. "
            "`infill-ls doctor` checks the installation."
        ) from None
    _children.append(child)
    return child


def wait_for_port(child: "subprocess.Popen[bytes]") -> EngineState:
    """Block until the started engine has written where it listens.

    Raises:
        EngineUnavailable: it ended before that, or took too long and was ended.
    """
    give_up_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < give_up_s:
        # The pid may be another than the child's: some Pythons are started through a launcher.
        state = read_state()
        if state is not None and find_process(state) is not None:
            return state
        if child.poll() is not None:
            words = last_words() or f"it ended with exit code {child.returncode}."
            raise EngineUnavailable(f"The engine could not be started: {words}")
        time.sleep(_POLL_S)
    child.kill()
    raise EngineUnavailable(
        f"The engine opened no port within {_START_TIMEOUT_S:.0f} s and was ended. "
        f"What it printed is in {_words_file()}."
    )


def last_words() -> str:
    """Return the last line the engine started last printed; empty when it printed none."""
    try:
        lines = _words_file().read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:_MAX_WORDS_CHARS] for line in reversed(lines) if line.strip()), "")


def _words_file() -> Path:
    return log_folder() / "engine-start.log"
