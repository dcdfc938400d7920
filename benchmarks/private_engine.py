"""An engine process of the benchmark's own, beside whatever engine the user runs.

Started, asked and ended exactly as an editor's language server does it. Knows nothing of what is
asked of it.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from infill_client.address import EngineAddress
from infill_client.client import EngineClient
from infill_client.launcher import ensure_engine, stop_engine
from infill_client.settings import EngineSettings
from infill_engine.api import EngineUnavailable, InfillRequest, InfillResult
from infill_engine.process_state import RUNTIME_DIR_VARIABLE, read_state


@contextmanager
def private_runtime_folder() -> Iterator[None]:
    """Let engines of this process live in a folder of its own; ends the one left at the end."""
    before = os.environ.get(RUNTIME_DIR_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="infill-latency-") as folder:
        os.environ[RUNTIME_DIR_VARIABLE] = folder
        try:
            yield
        finally:
            stop_engine()
            if before is None:
                del os.environ[RUNTIME_DIR_VARIABLE]
            else:
                os.environ[RUNTIME_DIR_VARIABLE] = before


def timed_start(settings: EngineSettings) -> tuple[EngineAddress, float]:
    """Start an engine; returns its address and the seconds from nothing to ready."""
    begin_s = time.perf_counter()
    address = ensure_engine(settings)
    return address, time.perf_counter() - begin_s


class HttpFill:
    """Fills gaps over HTTP with connections kept open, as the language server does."""

    def __init__(self, address: EngineAddress) -> None:
        self._runner = asyncio.Runner()
        self._client = EngineClient(address)

    def __call__(self, request: InfillRequest, document_id: str) -> InfillResult:
        """Ask and wait for the result."""
        return self._runner.run(self._client.infill(request, document_id))

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._client.aclose())
        self._runner.close()


def peak_memory_mib() -> float:
    """Return the largest resident memory of the running engine's process, from its start on.

    Where the system keeps no such mark, the memory it has now.

    Raises:
        EngineUnavailable: no engine runs.
    """
    state = read_state()
    if state is None:
        raise EngineUnavailable("The benchmark's engine has ended.")
    status = Path(f"/proc/{state.pid}/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024.0
    memory = psutil.Process(state.pid).memory_info()
    return getattr(memory, "peak_wset", memory.rss) / (1 << 20)
