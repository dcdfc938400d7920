"""A connection to Ray: one started here, on loopback, or one that runs already.

Knows nothing of what is deployed.
"""

import logging
import os
import socket
from pathlib import Path

import ray

from infill_engine.api import ConfigError, EngineUnavailable

_CONNECT_TIMEOUT_S = 5.0
_LOOPBACK = "127.0.0.1"


def start_local_ray(num_cpus: float, num_gpus: float, folder: Path | None = None) -> None:
    """Start Ray on this machine alone, its ports on loopback; it ends with `stop_ray`.

    Args:
        num_cpus: CPU cores that Ray may give out.
        num_gpus: likewise GPUs.
        folder: for Ray's sockets and logs, a short path; None takes Ray's own.

    Raises:
        EngineUnavailable: Ray could not be started.
    """
    # A RAY_ADDRESS of the environment would mean another cluster.
    os.environ.pop("RAY_ADDRESS", None)
    _be_quiet()
    try:
        ray.init(
            address="local",
            num_cpus=max(1, round(num_cpus)),
            num_gpus=round(num_gpus),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.WARNING,
            configure_logging=True,
            _node_ip_address=_LOOPBACK,
            _temp_dir=None if folder is None else str(folder),
        )
    except Exception as error:
        ray.shutdown()  # what has been started of it
        raise EngineUnavailable(f"Ray could not be started on this machine ({error}).") from None


def connect_to_ray(address: str) -> None:
    """Connect to a Ray cluster that runs.

    Args:
        address: "auto" for the one that this machine belongs to, else "host:port" of its head.

    Raises:
        EngineUnavailable: none answers there.
    """
    _be_quiet()
    try:
        _require_listener(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, ValueError, RuntimeError) as error:
        raise EngineUnavailable(
            f"No Ray cluster answers at {address!r} ({type(error).__name__}). Start one with "
            "`ray start --head`, or give its head's address with --address."
        ) from None


def _be_quiet() -> None:
    # Of every step of a rollout; what a person wants to know, the command says.
    logging.getLogger("ray.serve").setLevel(logging.WARNING)


def _require_listener(address: str) -> None:
    # Ray itself would try for minutes. A name without a port is one of Ray's own, like "auto".
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT_S).close()


def stop_ray() -> None:
    """Leave Ray; one that was started here ends with all its processes."""
    ray.shutdown()


def require_cpus(num_cpus: float) -> None:
    """Refuse what the cluster can never give; raises ConfigError."""
    available = ray.cluster_resources().get("CPU", 0.0)
    if num_cpus > available:
        raise ConfigError(
            f"replicas.min times replicas.num_cpus is {num_cpus:g}, but the cluster has "
            f"{available:g} CPU cores. Lower one of them."
        )
