"""Where a running engine is found: one state file in the user's runtime folder.

Written by the engine's process, read by whoever wants to talk to it. The token inside is the
only key to the engine, so the folder and the file belong to the user alone. Knows nothing of
HTTP: whether the engine answers is for `infill_client` to ask. Imports no torch.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from platformdirs import user_log_path, user_runtime_path, user_state_path

from infill_engine.api import ConfigError, EngineUnavailable
from infill_engine.version import VERSION

RUNTIME_DIR_VARIABLE = "INFILL_LS_RUNTIME_DIR"
"""Environment variable that names another folder: for tests, and for several engines at once."""
_APP_NAME = "infill-ls"
_CREATE_TIME_TOLERANCE_S = 2.0
"""Slack when comparing process start times: Linux derives them from a clock that may be set."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """Where the engine listens and which process it is.

    Attributes:
        pid: process id.
        create_time_s: when that process started (Unix seconds); tells a recycled pid apart.
        port: TCP port on 127.0.0.1.
        token: bearer token every request must carry.
        model: model name or folder it was started with.
        version: version of infill-ls it runs.
    """

    pid: int
    create_time_s: float
    port: int
    token: str = field(repr=False)
    model: str
    version: str

    @property
    def url(self) -> str:
        """Base URL of the engine."""
        return f"http://127.0.0.1:{self.port}"


def runtime_folder() -> Path:
    """Return the folder of state and lock files, created for the user alone (mode 0700).

    Raises:
        ConfigError: the folder cannot be made, or belongs to another user.
    """
    named = os.environ.get(RUNTIME_DIR_VARIABLE, "")
    folder = Path(named) if named else _default_runtime_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise ConfigError(
            f"The runtime folder {folder} cannot be used ({error.strerror}). "
            f"Set {RUNTIME_DIR_VARIABLE} to a folder of yours."
        ) from None
    if sys.platform != "win32" and status.st_uid != os.getuid():
        raise ConfigError(
            f"The runtime folder {folder} belongs to another user. "
            f"Set {RUNTIME_DIR_VARIABLE} to a folder of yours."
        )
    return folder


def _default_runtime_folder() -> Path:
    if sys.platform in ("win32", "darwin"):
        return user_runtime_path(_APP_NAME)
    # Where nobody is logged in (containers, cron) platformdirs would fall back to the shared /tmp,
    # where other users could wait for us; the home folder is the user's own.
    login_folder = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    if os.access(login_folder, os.W_OK):
        return login_folder / _APP_NAME
    return user_state_path(_APP_NAME) / "run"


def log_folder() -> Path:
    """Return the folder of log files, created if missing.

    Lies inside the runtime folder when that is named by the environment, so that several engines
    do not write to one log.
    """
    named = os.environ.get(RUNTIME_DIR_VARIABLE, "")
    folder = runtime_folder() / "logs" if named else user_log_path(_APP_NAME)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The log folder {folder} cannot be used ({error.strerror}).") from None
    return folder


def state_file() -> Path:
    """Return the path of the state file, which need not exist."""
    return runtime_folder() / "engine.json"


def read_state() -> EngineState | None:
    """Return the state as last written, or None when there is none or it cannot be understood.

    A corrupt file counts as none: the only cure is to start another engine, which overwrites it.
    """
    try:
        data = json.loads(state_file().read_text(encoding="utf-8"))
        values = {f.name: data[f.name] for f in fields(EngineState)}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    types = {"pid": int, "create_time_s": (int, float), "port": int}
    if not all(isinstance(values[name], types.get(name, str)) for name in values):
        return None
    return EngineState(**values)


def write_state(state: EngineState) -> None:
    """Replace the state file in one step; a reader sees the old state or the new, never a part.

    Raises:
        ConfigError: the file cannot be written (full disk, read-only folder).
    """
    path = state_file()
    temporary = ""
    try:
        # mkstemp creates the file with mode 0600, before the token is in it.
        handle, temporary = tempfile.mkstemp(prefix="engine-", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise ConfigError(
            f"The engine's state file {path} cannot be written ({error.strerror})."
        ) from None


def remove_state(pid: int | None = None) -> None:
    """Remove the state file; with `pid` only when it still names that process."""
    if pid is not None:
        state = read_state()
        if state is None or state.pid != pid:
            return
    with contextlib.suppress(OSError):
        state_file().unlink(missing_ok=True)


def own_state(port: int, token: str, model: str) -> EngineState:
    """Describe the calling process as an engine."""
    process = psutil.Process()
    return EngineState(process.pid, process.create_time(), port, token, model, VERSION)


def find_process(state: EngineState) -> psutil.Process | None:
    """Return the process of `state`, or None when it is gone or its pid is another's now."""
    try:
        process = psutil.Process(state.pid)
        created_s = process.create_time()
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, OverflowError):  # a corrupt file may name no possible pid
        return None
    if is_zombie or abs(created_s - state.create_time_s) > _CREATE_TIME_TOLERANCE_S:
        return None
    return process


@contextlib.contextmanager
def hold_lock(name: str, timeout_s: float) -> Iterator[None]:
    """Hold the lock `name` among all processes of the user that share the runtime folder.

    Raises:
        EngineUnavailable: another process held it for the whole of `timeout_s`.
        ConfigError: the lock file cannot be made (full disk, read-only folder).
    """
    path = runtime_folder() / f"{name}.lock"
    lock = FileLock(path, timeout=timeout_s)
    try:
        lock.acquire()
    except Timeout:
        raise EngineUnavailable(
            f"Another process has been starting or stopping the engine for {timeout_s:.0f} s "
            f"(lock {path}). Try again, or end that process."
        ) from None
    except OSError as error:
        raise ConfigError(f"The lock file {path} cannot be used ({error.strerror}).") from None
    try:
        yield
    finally:
        lock.release()
