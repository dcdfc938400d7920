"""Puts engines and gateway into a running Ray, looks how they are, and takes them out again.

What has not changed is left alone: engines are replaced one after the other, each goes on with
what it has begun, and the gateway's connections stay. Knows nothing of where Ray came from.
"""

from dataclasses import dataclass, field
from typing import Any

from ray import serve
from ray.exceptions import RayError
from ray.serve.config import ProxyLocation
from ray.serve.exceptions import RayServeException

from infill_cluster.config import ClusterConfig
from infill_cluster.deployments.applications import engines, gateway
from infill_cluster.deployments.names import (
    ENGINE_APPLICATION,
    ENGINE_DEPLOYMENT,
    GATEWAY_APPLICATION,
    GATEWAY_DEPLOYMENT,
)
from infill_engine.api import EngineUnavailable
from infill_engine.server.engine_worker import EngineLoader

_CALL_TIMEOUT_S = 10.0
_DEPLOYMENT_OF = {
    ENGINE_APPLICATION: ENGINE_DEPLOYMENT,
    GATEWAY_APPLICATION: GATEWAY_DEPLOYMENT,
}


@dataclass(frozen=True, slots=True)
class PartStatus:
    """How one of the two applications is.

    Attributes:
        name: "infill-engine" or "infill-gateway".
        status: as Ray Serve says: "RUNNING", "DEPLOYING", "UNHEALTHY", ... or "NOT_STARTED".
        why: what Ray Serve has to say of it; empty when all is well.
        replicas: replicas by state: {"RUNNING": 2}.
    """

    name: str
    status: str
    why: str = ""
    replicas: dict[str, int] = field(default_factory=dict)


def roll_out(config: ClusterConfig, load_engine: EngineLoader | None = None) -> list[str]:
    """Bring what runs into line with `config`; returns the applications that were replaced.

    Waits until they are ready. Streams that have begun go on to their end.

    Args:
        config: what should run.
        load_engine: replaces the model, see `EngineReplica`.

    Raises:
        EngineUnavailable: an application could not be started; the message says why.
    """
    # Serve's own proxies would listen beside the gateway, without its checks.
    serve.start(proxy_location=ProxyLocation.Disabled)
    replaced: list[str] = []
    wanted = config.model_dump(mode="json")
    if load_engine or _config_of(ENGINE_APPLICATION) != {
        name: wanted[name] for name in ("engine", "replicas")
    }:
        _run(ENGINE_APPLICATION, engines(config, load_engine))
        replaced.append(ENGINE_APPLICATION)
    if _config_of(GATEWAY_APPLICATION) != {
        "gateway": wanted["gateway"],
        "model": config.engine.model,
    }:
        _run(GATEWAY_APPLICATION, gateway(config))
        replaced.append(GATEWAY_APPLICATION)
    return replaced


def gateway_address() -> tuple[str, int]:
    """Return host and port that a gateway listens on; raises EngineUnavailable without one."""
    host, port = _ask(GATEWAY_APPLICATION, "address")
    return host, port


def cluster_status() -> list[PartStatus]:
    """Return how both applications are.

    Raises:
        EngineUnavailable: Ray Serve does not run in this cluster.
    """
    try:
        found = serve.status().applications
    except (RayServeException, RayError) as error:
        raise EngineUnavailable(
            f"Ray Serve does not run in this cluster ({type(error).__name__})."
        ) from None
    parts: list[PartStatus] = []
    for name in (ENGINE_APPLICATION, GATEWAY_APPLICATION):
        application = found.get(name)
        if application is None:
            parts.append(PartStatus(name, "NOT_STARTED"))
            continue
        replicas: dict[str, int] = {}
        why = [application.message]
        for deployment in application.deployments.values():
            why.append(deployment.message)
            for state, num in deployment.replica_states.items():
                replicas[state] = replicas.get(state, 0) + num
        text = " ".join(sentence for sentence in why if sentence)
        parts.append(PartStatus(name, str(application.status.value), text, replicas))
    return parts


def take_down() -> None:
    """End the gateway once what it answers has ended, then the engines."""
    for name in (GATEWAY_APPLICATION, ENGINE_APPLICATION):
        serve.delete(name)


def _run(name: str, application: serve.Application) -> None:
    try:
        serve.run(application, name=name, route_prefix=None)
    except RuntimeError as error:
        status = {part.name: part for part in cluster_status()}[name]
        raise EngineUnavailable(f"{name} could not be started: {status.why or error}") from None


def _config_of(application: str) -> object:
    """Return what one of its replicas was made with; None when none answers."""
    try:
        return _ask(application, "config")
    except EngineUnavailable:
        return None


def _ask(application: str, method_name: str) -> Any:
    try:
        handle = serve.get_deployment_handle(_DEPLOYMENT_OF[application], app_name=application)
        return handle.options(method_name=method_name).remote().result(timeout_s=_CALL_TIMEOUT_S)
    except (KeyError, RayServeException, RayError, TimeoutError) as error:
        raise EngineUnavailable(
            f"No {application} runs in this cluster ({type(error).__name__})."
        ) from None
