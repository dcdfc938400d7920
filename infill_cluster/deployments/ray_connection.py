"""A connection to Ray: one started here, on loopback, or one that runs already.

Knows nothing of what is deployed.
"""

import logging
import os
import socket
from pathlib import Path

import ray
from ray.exceptions import RayError

from infill_cluster.room import NodeRoom
from infill_engine.api import EngineUnavailable

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
        EngineUnavailable: none answers there, or it does not let this process in.
    """
    _be_quiet()
    try:
        _require_listener(address)
    except OSError as error:
        raise EngineUnavailable(_none_answers(address, error)) from None
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, ValueError, RuntimeError, RayError) as error:
        if not _is_host_and_port(address) and isinstance(error, (OSError, ValueError)):
            raise EngineUnavailable(_none_answers(address, error)) from None
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise EngineUnavailable(
            f"The Ray cluster at {address!r} does not take this command in "
            f"({type(error).__name__}: {reason}). Where it wants a token, set RAY_AUTH_MODE=token "
            "and RAY_AUTH_TOKEN_PATH or RAY_AUTH_TOKEN, as on its nodes; Python and Ray must be of "
            "the same version as there."
        ) from None


def _none_answers(address: str, error: Exception) -> str:
    return (
        f"No Ray cluster answers at {address!r} ({type(error).__name__}). Start one with "
        "`ray start --head`, or give its head's address with --address."
    )


def _be_quiet() -> None:
    # Of every step of a rollout; what a person wants to know, the command says.
    logging.getLogger("ray.serve").setLevel(logging.WARNING)


def _require_listener(address: str) -> None:
    # Ray itself would try for minutes.
    if _is_host_and_port(address):
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT_S).close()


def _is_host_and_port(address: str) -> bool:
    # A name without a port is one of Ray's own, like "auto".
    host, _, port = address.rpartition(":")
    return bool(host) and port.isdecimal()


def stop_ray() -> None:
    """Leave Ray; one that was started here ends with all its processes."""
    ray.shutdown()


def nodes_of_cluster() -> list[NodeRoom]:
    """Return what each node that is alive has in all, whether it is used or not."""
    return [
        NodeRoom(node["NodeManagerAddress"], node["Resources"])
        for node in ray.nodes()
        if node["Alive"]
    ]
