"""A code-server with our extension, in a process group of its own that is ended with all in it.

Knows nothing of what is done in the browser.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from ..node import NODE
from .user_folders import UserFolders

_START_S = 120.0
_END_S = 20.0
_OPTIONS = (
    "--auth=none",
    "--disable-telemetry",
    "--disable-update-check",
    "--disable-workspace-trust",
    "--disable-getting-started-override",
    "--reconnection-grace-time=5",
)


@dataclass(frozen=True)
class CodeServer:
    """A running code-server.

    Attributes:
        folders: whose it is.
        port: on 127.0.0.1.
        pid: leader of its process group.
    """

    folders: UserFolders
    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where the browser finds it."""
        return f"http://127.0.0.1:{self.port}"

    def processes(self, name: str = "") -> list[psutil.Process]:
        """Return what runs for its user and has `name` in its command line, oldest first."""
        return [
            process
            for process in _processes_of(self.folders)
            if name in " ".join(_command_line(process))
        ]


@contextmanager
def running_code_server(entry: Path, vsix: Path, folders: UserFolders) -> Iterator[CodeServer]:
    """Install the extension, serve VS Code, and leave no process behind.

    Args:
        entry: code-server's entry script.
        vsix: the packed extension.
        folders: with the settings written.
    """
    install_extension(entry, vsix, folders)
    with serving_code_server(entry, folders) as server:
        yield server


def install_extension(entry: Path, vsix: Path, folders: UserFolders) -> None:
    """Install a packed extension as `code --install-extension` does."""
    said = _run(entry, folders, "--install-extension", str(vsix), "--force")
    assert "successfully installed" in said, said


def uninstall_extension(entry: Path, identifier: str, folders: UserFolders) -> None:
    """Uninstall an extension; VS Code cleans up after it when it is next started."""
    said = _run(entry, folders, "--uninstall-extension", identifier)
    assert "successfully uninstalled" in said, said


@contextmanager
def serving_code_server(entry: Path, folders: UserFolders) -> Iterator[CodeServer]:
    """Serve VS Code with what is installed, and leave no process behind."""
    _make(folders)
    port = _free_port()
    log_path = folders.root / "code-server.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(str(NODE), str(entry), *_place(folders), *_OPTIONS),
                *(f"--bind-addr=127.0.0.1:{port}", str(folders.workspace)),
            ],
            env=folders.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until(lambda: _is_served(port) or process.poll() is not None, _START_S)
            if not _is_served(port):
                raise RuntimeError(f"code-server did not start:\n{log_path.read_text()[-2000:]}")
            yield CodeServer(folders, port, process.pid)
        finally:
            _end(process, folders)


def _make(folders: UserFolders) -> None:
    folders.workspace.mkdir(parents=True, exist_ok=True)
    (folders.root / "home").mkdir(exist_ok=True)


def _place(folders: UserFolders) -> list[str]:
    config = folders.root / "code-server.yaml"
    config.touch()
    return [
        f"--config={config}",
        f"--user-data-dir={folders.data}",
        f"--extensions-dir={folders.extensions}",
    ]


def _run(entry: Path, folders: UserFolders, *arguments: str) -> str:
    _make(folders)
    run = subprocess.run(
        [NODE, entry, *_place(folders), *arguments],
        env=folders.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_START_S,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


def _end(process: subprocess.Popen[bytes], folders: UserFolders) -> None:
    """End the group, which takes the extension host with it, then the engine beside it."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
        except ProcessLookupError:
            break
        try:
            process.wait(_END_S / 2)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    left = _processes_of(folders)  # the engine outlives every editor, and that is right
    for each in left:
        each.kill()
    psutil.wait_procs(left, _END_S)


def _processes_of(folders: UserFolders) -> list[psutil.Process]:
    home = folders.environment()["HOME"]
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == home:
                found.append(process)
        except psutil.Error:
            continue  # ended meanwhile, or another user's
    return sorted(found, key=lambda process: process.create_time())


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _is_served(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


def _wait_until(condition: Callable[[], bool], limit_s: float) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"Not within {limit_s:g} s.")
        time.sleep(0.1)
