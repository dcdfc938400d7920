"""The cluster that `soak` treats badly: made and watched from within the same process.

Knows nothing of what is asked.
"""

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from infill_client.address import EngineAddress
from infill_cluster.config import ClusterConfig, parse_config
from infill_cluster.ray_extra import require_ray
from infill_cluster.security.tokens import add_token
from infill_engine.api import EngineUnavailable

if TYPE_CHECKING:
    from infill_cluster.deployments.engine_loads import EngineLoad

NUM_REPLICAS = 2
_ENGINE_PROCESS = "ServeReplica:infill-engine"


@dataclass(frozen=True, slots=True)
class Left:
    """What engines and gateway still hold, by their own counters.

    Attributes:
        engines: of each engine that runs, what it has to do.
        num_engine_processes: of the operating system's, none of which may be one too many.
        num_open_streams: requests in progress in the gateway.
        num_open_connections: at the gateway, without that of whoever asks this.
        num_retries: requests that the gateway began anew, so far.
    """

    engines: "list[EngineLoad]"
    num_engine_processes: int
    num_open_streams: float
    num_open_connections: float
    num_retries: float

    @property
    def is_nothing(self) -> bool:
        """Whether all engines are there, and nothing else is."""
        return (
            len(self.engines) == self.num_engine_processes == NUM_REPLICAS
            and all(engine.is_idle for engine in self.engines)
            and self.num_open_streams == 0
            and self.num_open_connections == 0
        )


class SoakCluster:
    """A cluster of two engines that runs."""

    def __init__(self, config: ClusterConfig, url: str, tokens: tuple[str, ...]) -> None:
        self._config, self._url, self._tokens = config, url, tokens

    def address(self, user_idx: int) -> EngineAddress:
        """Where and as whom a user asks."""
        return EngineAddress(self._url, self._tokens[user_idx])

    def busy_engine(self) -> "EngineLoad":
        """The engine that works on most; raises EngineUnavailable where none answers."""
        from infill_cluster.deployments.engine_loads import engine_loads

        loads = engine_loads()
        if not loads:
            raise EngineUnavailable("No engine of the cluster says what it does.")
        return max(loads, key=lambda load: load.num_running)

    def roll_out_another_setting(self) -> None:
        """Replace every engine by one with a setting that changes no answer."""
        from infill_cluster.deployments.rollout import roll_out

        values = self._config.model_dump(mode="json")
        values["engine"]["max_queued_requests"] += 1
        self._config = parse_config(values, "the soak")
        roll_out(self._config)

    def left(self) -> Left:
        """Ask everybody what they hold."""
        from infill_cluster.deployments.engine_loads import engine_loads

        headers = {"Authorization": f"Bearer {self._tokens[0]}"}
        text = httpx.get(f"{self._url}/metrics", headers=headers, trust_env=False).text
        found = dict(re.findall(r"^infill_gateway_(\w+) ([\d.e+]+)$", text, re.MULTILINE))
        return Left(
            engine_loads(),
            self._num_engine_processes(),
            float(found["open_streams"]),
            float(found["open_connections"]) - 1,
            float(found["retries_total"]),
        )

    def _num_engine_processes(self) -> int:
        num = 0
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                is_one = _ENGINE_PROCESS in " ".join(process.cmdline())
                num += is_one and process.status() != psutil.STATUS_ZOMBIE
        return num


@contextlib.contextmanager
def soak_cluster(num_users: int, dtype: str) -> Iterator[SoakCluster]:
    """Serve the embedded model from two engines, one thread each; nothing is left behind.

    Raises:
        EngineUnavailable: the cluster did not start; the message says why.
    """
    # A short path: Ray puts sockets in it.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    tokens = tuple(add_token(folder / "tokens.json", f"user{idx}") for idx in range(num_users))
    config = parse_config(
        {
            "engine": {"num_threads": 1, "dtype": dtype, "max_queued_requests": 2 * num_users},
            "replicas": {
                "min": NUM_REPLICAS,
                "max": NUM_REPLICAS,
                "num_cpus": 0.5,
                "health_check_period_s": 1,
            },
            "gateway": {
                "port": 0,
                "tokens_file": str(folder / "tokens.json"),
                "limits": {"burst": 100_000, "requests_per_minute": 100_000},
            },
        },
        "the soak",
    )
    os.environ.update(RAY_TMPDIR=str(folder), RAY_AUTH_TOKEN=secrets.token_hex(32))
    require_ray(starts_one=True)
    from infill_cluster.deployments import ray_connection, rollout

    try:
        ray_connection.start_local_ray(2 * NUM_REPLICAS, 0, folder)
        rollout.roll_out(config)
        yield SoakCluster(config, rollout.gateway_urls()[0], tokens)
        rollout.take_down()
    finally:
        ray_connection.stop_ray()
        shutil.rmtree(folder, ignore_errors=True)
