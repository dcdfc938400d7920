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
from ray.serve.schema import ApplicationStatus

from infill_cluster.config import ClusterConfig
from infill_cluster.deployments.applications import engines, gateway
from infill_cluster.deployments.names import (
    ENGINE_APPLICATION,
    ENGINE_DEPLOYMENT,
    GATEWAY_APPLICATION,
    GATEWAY_DEPLOYMENT,
)
from infill_cluster.serve_message import essence_of
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
        urls: where its gateways answer; empty for engines.
    """

    name: str
    status: str
    why: str = ""
    replicas: dict[str, int] = field(default_factory=dict)
    urls: tuple[str, ...] = ()


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
    engines_config = {name: wanted[name] for name in ("engine", "replicas")}
    if load_engine or not _runs_with(ENGINE_APPLICATION, engines_config):
        _run(ENGINE_APPLICATION, engines(config, load_engine))
        replaced.append(ENGINE_APPLICATION)
    gateway_config = {"gateway": wanted["gateway"], "model": config.engine.model}
    if not _runs_with(GATEWAY_APPLICATION, gateway_config):
        _run(GATEWAY_APPLICATION, gateway(config))
        replaced.append(GATEWAY_APPLICATION)
    return replaced


def gateway_urls() -> tuple[str, ...]:
    """Return where each gateway that can be asked answers; raises EngineUnavailable without any."""
    answers = _ask_all(GATEWAY_APPLICATION, "url")
    urls = sorted(answer for answer in answers if isinstance(answer, str))
    if not urls:
        raise EngineUnavailable("No gateway of this cluster answers.")
    return tuple(urls)


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
        text = " ".join(essence_of(sentence) for sentence in why if sentence)
        urls = _urls_now() if name == GATEWAY_APPLICATION and replicas.get("RUNNING") else ()
        parts.append(PartStatus(name, str(application.status.value), text, replicas, urls))
    return parts


def take_down() -> list[str]:
    """End the gateways once what they answer has ended, then the engines.

    Ray goes on, and so does Ray Serve where it serves somebody else's applications.

    Returns:
        The applications that were ended.
    """
    try:
        running = [
            name
            for name in (GATEWAY_APPLICATION, ENGINE_APPLICATION)
            if name in serve.status().applications
        ]
        for name in running:
            serve.delete(name)
        if running and not serve.status().applications:
            serve.shutdown()
    except (RayServeException, RayError, TimeoutError) as error:
        raise EngineUnavailable(
            f"The cluster could not be taken down ({type(error).__name__}). Ask again; "
            "`infill-ls cluster status` says what still runs."
        ) from None
    return running


def _run(name: str, application: serve.Application) -> None:
    try:
        serve.run(application, name=name, route_prefix=None)
    except RuntimeError as error:
        status = {part.name: part for part in cluster_status()}[name]
        raise EngineUnavailable(f"{name} could not be started: {status.why or error}") from None


def _runs_with(application: str, config: object) -> bool:
    """Whether each of its replicas was made with this, and nothing is left to be done.

    Each: after a roll-out that failed half-way, some replicas are of the new kind, others of the
    old one.
    """
    try:
        running = serve.status().applications.get(application)
        if running is None or running.status != ApplicationStatus.RUNNING:
            return False
        return all(found == config for found in _ask_all(application, "config"))
    except (EngineUnavailable, RayServeException, RayError):
        return False


def _urls_now() -> tuple[str, ...]:
    try:
        return gateway_urls()
    except EngineUnavailable:
        return ()


def _ask_all(application: str, method_name: str) -> list[Any]:
    """Return what each of its replicas answers, or the exception in its place.

    Raises:
        EngineUnavailable: none of them runs.
    """
    try:
        handle = serve.get_deployment_handle(_DEPLOYMENT_OF[application], app_name=application)
        return handle.broadcast(method_name).results(
            timeout_s=_CALL_TIMEOUT_S, return_exceptions=True
        )
    except (KeyError, RayServeException, RayError, TimeoutError) as error:
        raise EngineUnavailable(
            f"No {application} runs in this cluster ({type(error).__name__})."
        ) from None
