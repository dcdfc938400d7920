"""A Ray cluster of several nodes on this machine, as an administrator starts one: `ray start`.

Each node is a raylet with processes of its own, and all of them have this machine's address. They
want Ray's token. `ray stop` is not used: it would end every Ray of this machine.
"""

import contextlib
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.ray_here import processes_of, ray_folder

_START = [str(Path(sys.executable).with_name("ray")), "start", "--object-store-memory", "80000000"]
_GRACE_S = 5.0


class RayNodes:
    """The nodes; the first one is the head."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._raylets: list[psutil.Process] = []
        self.address = ""

    def add(self, *options: str) -> None:
        """Start one more node, the head if it is the first."""
        whither = ["--address", self.address] if self.address else ["--head", "--port", "0"]
        done = subprocess.run(
            [*_START, *whither, *options], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        if not self.address:
            found = re.search(r"ray start --address='([^']+)'", done.stdout + done.stderr)
            assert found, done.stdout
            self.address = found[1]
        (raylet,) = (
            process
            for process in processes_of(self._folder)
            if Path(process.cmdline()[0]).name == "raylet" and process not in self._raylets
        )
        self._raylets.append(raylet)

    def processes(self, idx: int) -> list[psutil.Process]:
        """Return the processes of a node: the raylet, and the workers that it has started."""
        return [self._raylets[idx], *self._raylets[idx].children(recursive=True)]

    def listens(self, idx: int, port: int) -> bool:
        """Whether one of the node's workers listens on the port."""
        return any(
            connection.laddr.port == port
            for process in self.processes(idx)[1:]
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        )

    def lose(self, idx: int) -> None:
        """End all processes of a node at once, without a word: its machine has lost its power."""
        for process in self.processes(idx):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@contextlib.contextmanager
def ray_nodes() -> Iterator[RayNodes]:
    """Yield a cluster without nodes; afterwards no process of it may be left."""
    with ray_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            yield RayNodes(folder)
        finally:
            _end(processes_of(folder))


def _end(processes: list[psutil.Process]) -> None:
    """End them as `ray stop` does: asked first, and made to after some seconds."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(processes, timeout=_GRACE_S)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
