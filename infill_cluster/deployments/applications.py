"""The two applications as Ray Serve takes them: engines, and the gateway in front.

Two, so that new engines can be rolled out while the gateway and its connections stay. The builders
also serve a Serve configuration file (`import_path`, `args`), as KubeRay uses.
"""

from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.schema import LoggingConfig

from infill_cluster.config import ClusterConfig, parse_config
from infill_cluster.deployments.engine_replica import EngineReplica
from infill_cluster.deployments.gateway_replica import GatewayReplica
from infill_cluster.deployments.names import ENGINE_DEPLOYMENT, GATEWAY_DEPLOYMENT
from infill_engine.server.engine_worker import EngineLoader

_ROUTER = "infill_cluster.deployments.affinity_request_router:AffinityRequestRouter"
_QUIET = LoggingConfig(log_level="WARNING", enable_access_log=False)
"""The gateway writes the line of a request; Serve's would come twice, with a traceback for each
client that leaves."""
_USUAL_MAX_BATCH = 4
"""Requests that run at once in an engine that chooses itself."""
_DRAIN_POLL_S = 0.5
_GATEWAY_GRACE_S = 5.0


def build_engines(args: dict[str, Any]) -> Application:
    """Return the engines' application; `args` are the fields of `ClusterConfig`."""
    return engines(parse_config(args, "args"))


def build_gateway(args: dict[str, Any]) -> Application:
    """Return the gateway's application; `args` are the fields of `ClusterConfig`."""
    return gateway(parse_config(args, "args"))


def engines(config: ClusterConfig, load_engine: EngineLoader | None = None) -> Application:
    """Return the engines' application; `load_engine` replaces the model, see `EngineReplica`."""
    replicas = config.replicas
    deployment = serve.deployment(
        name=ENGINE_DEPLOYMENT,
        autoscaling_config={
            "min_replicas": replicas.min,
            "max_replicas": replicas.max,
            "target_ongoing_requests": replicas.target_ongoing_requests,
            "upscale_delay_s": replicas.upscale_delay_s,
            "downscale_delay_s": replicas.downscale_delay_s,
        },
        # One more than the engine takes: who is refused is told so, instead of waiting unseen.
        max_ongoing_requests=config.engine.max_queued_requests
        + (config.engine.max_batch or _USUAL_MAX_BATCH)
        + 1,
        ray_actor_options={"num_cpus": replicas.num_cpus, "num_gpus": replicas.num_gpus},
        health_check_period_s=replicas.health_check_period_s,
        health_check_timeout_s=max(10.0, replicas.health_check_period_s),
        graceful_shutdown_timeout_s=replicas.drain_s,
        graceful_shutdown_wait_loop_s=_DRAIN_POLL_S,
        request_router_config={
            "request_router_class": _ROUTER,
            "request_router_kwargs": {"max_queue": replicas.max_queue},
        },
        logging_config=_QUIET,
    )(EngineReplica)
    arguments = (config.engine.model_dump(mode="json"), replicas.model_dump(mode="json"))
    return deployment.bind(*arguments, *(() if load_engine is None else (load_engine,)))


def gateway(config: ClusterConfig) -> Application:
    """Return the gateway's application."""
    section = config.gateway
    deployment = serve.deployment(
        name=GATEWAY_DEPLOYMENT,
        num_replicas=section.num_gateways,
        # Each needs the port for itself.
        max_replicas_per_node=1,
        ray_actor_options={"num_cpus": 0, "resources": section.resources},
        graceful_shutdown_timeout_s=section.drain_s + _GATEWAY_GRACE_S,
        graceful_shutdown_wait_loop_s=_DRAIN_POLL_S,
        logging_config=_QUIET,
    )(GatewayReplica)
    return deployment.bind(section.model_dump(mode="json"), config.engine.model)
