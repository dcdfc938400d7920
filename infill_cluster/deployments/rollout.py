"""Puts engines and gateway into a running Ray, looks how they are, and takes them out again.

What has not changed is left alone: engines are replaced one after the other, each goes on with
what it has begun, and the gateway's connections stay. Knows nothing of where Ray came from.
"""

from dataclasses import dataclass, field

from ray import serve
from ray.exceptions import RayError
from ray.serve.config import ProxyLocation
from ray.serve.exceptions import RayServeException

from infill_cluster.config import ClusterConfig, parse_config
from infill_cluster.deployments.applications import engines, gateway
from infill_cluster.deployments.names import (
    ENGINE_APPLICATION,
    GATEWAY_APPLICATION,
    GATEWAY_DEPLOYMENT,
)
from infill_engine.api import EngineUnavailable, InfillError
from infill_engine.server.engine_worker import EngineLoader

_CALL_TIMEOUT_S = 10.0


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
    running = running_config()
    replaced: list[str] = []
    if running is None or load_engine or _engines_differ(running, config):
        _run(ENGINE_APPLICATION, engines(config, load_engine))
        replaced.append(ENGINE_APPLICATION)
    if running is None or running != config:
        _run(GATEWAY_APPLICATION, gateway(config))
        replaced.append(GATEWAY_APPLICATION)
    return replaced


def running_config() -> ClusterConfig | None:
    """Return what the gateway runs with; None when there is no gateway that answers."""
    try:
        return parse_config(_ask_gateway("config"), "The running gateway's configuration")
    except InfillError:
        return None


def gateway_address() -> tuple[str, int]:
    """Return host and port that a gateway listens on; raises EngineUnavailable without one."""
    host, port = _ask_gateway("address")
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


def _engines_differ(running: ClusterConfig, wanted: ClusterConfig) -> bool:
    return (running.engine, running.replicas) != (wanted.engine, wanted.replicas)


def _run(name: str, application: serve.Application) -> None:
    try:
        serve.run(application, name=name, route_prefix=None)
    except RuntimeError as error:
        status = {part.name: part for part in cluster_status()}[name]
        raise EngineUnavailable(f"{name} could not be started: {status.why or error}") from None


def _ask_gateway(method_name: str) -> object:
    try:
        handle = serve.get_deployment_handle(GATEWAY_DEPLOYMENT, app_name=GATEWAY_APPLICATION)
        return handle.options(method_name=method_name).remote().result(timeout_s=_CALL_TIMEOUT_S)
    except (KeyError, RayServeException, RayError, TimeoutError) as error:
        raise EngineUnavailable(
            f"No gateway runs in this cluster ({type(error).__name__})."
        ) from None
