"""`infill-ls cluster run` on this machine for one measurement, with a token for each user.

Knows nothing of what is asked.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from infill_client.address import EngineAddress
from infill_cluster.security.tokens import add_token
from infill_engine.api import EngineUnavailable
from tests.infill_cluster.self_signed import write_certificate

GATEWAY_APPLICATION = "infill-gateway"
_END_S = 120.0
_NO_LIMITS = {"burst": 100_000, "requests_per_minute": 100_000}


@dataclass(frozen=True, slots=True)
class ServedTeam:
    """A cluster that runs.

    Attributes:
        url: of its gateway.
        tokens: one for each user.
        pid: of the command that serves; all other processes descend from it.
        ca_file: who vouches for the gateway; empty without TLS.
    """

    url: str
    tokens: tuple[str, ...]
    pid: int
    ca_file: str = ""

    def address(self, user_idx: int) -> EngineAddress:
        """Where and as whom a user asks."""
        return EngineAddress(self.url, self.tokens[user_idx], self.ca_file)

    def gateway(self) -> psutil.Process:
        """The process that clients connect to."""
        for process in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if GATEWAY_APPLICATION in " ".join(process.cmdline()):
                    return process
        raise EngineUnavailable("The gateway's process cannot be found.")


@contextlib.contextmanager
def serve_team(
    num_replicas: int,
    num_users: int,
    dtype: str,
    has_tls: bool = False,
    limits: dict[str, Any] = _NO_LIMITS,
) -> Iterator[ServedTeam]:
    """Serve engines with the embedded model in `dtype`, one thread each; nothing is left behind.

    Args:
        num_replicas: engines.
        num_users: each gets a token.
        dtype: of the engines.
        has_tls: whether the gateway has a certificate, signed for this run.
        limits: of the gateway.

    Raises:
        EngineUnavailable: the cluster did not start; the message has what it said.
    """
    # A short path: Ray puts sockets in it.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    tokens = tuple(add_token(folder / "tokens.json", f"user{idx}") for idx in range(num_users))
    config: dict[str, dict[str, Any]] = {
        "engine": {"num_threads": 1, "dtype": dtype, "max_queued_requests": max(8, 2 * num_users)},
        "replicas": {"min": num_replicas, "max": num_replicas, "num_cpus": 0.5},
        "gateway": {
            "port": 0,
            "tokens_file": str(folder / "tokens.json"),
            "limits": limits,
        },
    }
    if has_tls:
        certificate = write_certificate(folder)
        config["gateway"]["tls"] = {
            "certificate": str(certificate),
            "key": str(folder / "key.pem"),
        }
    (folder / "cluster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    environment = {
        **os.environ,
        "RAY_TMPDIR": str(folder),
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "infill_cli", "cluster", "run", "--config", folder / "cluster.yaml"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if "Serving at " not in said:
            raise EngineUnavailable(f"The cluster did not start: {said or 'it said nothing'}")
        url = said.split("Serving at ")[1].split(". Ctrl-C")[0]
        ca_file = str(folder / "certificate.pem") if has_tls else ""
        yield ServedTeam(url, tokens, process.pid, ca_file)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
