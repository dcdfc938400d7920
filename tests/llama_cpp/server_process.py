"""Runs llama-cpp-python's server with SmolLM2-135M, as a user would.

Knows nothing of how it was built.
"""

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from benchmarks.smollm2 import smollm2_file
from infill_client.address import EngineAddress
from infill_client.openai.probe import Capabilities
from infill_engine.api import ConfigError

from ..system_packages import CACHE, NotInstallable
from .installed_server import ensure_llama_cpp_server
from .running_server import RunningServer

_TOKEN = "only-for-tests"
_CAN = Capabilities("smol", has_chat=True, continues=False, streams=True, takes_suffix=False)
"""Its templates close every message; the model knows no gaps, so a suffix is only appended."""
_CONTEXT_TOKENS = 2048
_START_S = 300.0
_NUM_STARTS = 3


def ensure_model() -> Path:
    """Return the model's file, after fetching it where it isn't yet (93 MB).

    Raises:
        NotInstallable: it cannot be fetched.
    """
    folder = CACHE / "smollm2"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "smollm2.lock"):
        try:
            return smollm2_file(folder)
        except ConfigError as error:
            raise NotInstallable(str(error)) from None


@contextlib.contextmanager
def running_llama_cpp_server(log: Path) -> Iterator[RunningServer]:
    """Yield a running server; it is gone afterwards.

    Args:
        log: file for what it says.

    Raises:
        NotInstallable: it, or its model, cannot be had here.
    """
    python, model = ensure_llama_cpp_server(), ensure_model()
    for _ in range(_NUM_STARTS):  # another process can take the port before the server does
        port = _free_port()
        process = _start(python, model, port, log)
        try:
            if _answers(process, port):
                yield RunningServer(EngineAddress(f"http://127.0.0.1:{port}", _TOKEN), can=_CAN)
                return
        finally:
            process.kill()
            process.wait()
    raise AssertionError(f"llama_cpp.server did not start: {log.read_text()[-2000:]}")


def _start(python: Path, model: Path, port: int, log: Path) -> "subprocess.Popen[bytes]":
    options = ("--host", "127.0.0.1", "--port", str(port), "--api_key", _TOKEN)
    options = (*options, "--n_ctx", str(_CONTEXT_TOKENS), "--n_threads", "2")
    with log.open("wb") as file:
        return subprocess.Popen(
            [python, "-m", "llama_cpp.server", "--model", model, "--model_alias", "smol", *options],
            stdout=file,
            stderr=file,
            env={**os.environ, "PYTHONPATH": ""},
        )


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    give_up_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < give_up_s:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5).close()
        except urllib.error.HTTPError as error:
            return error.code == 401  # it wants its token
        except OSError:
            time.sleep(0.1)
    return False


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]
