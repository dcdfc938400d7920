"""What the gateway serves, all of it on one screen: the engine's own API, version 1.

    POST /v1/infill   a replica's answer, event by event
    GET  /v1/health   a replica's health; "loading" while none is ready
    GET  /metrics     the gateway's own numbers, cache hits among them

Every path wants a token of the team's. Knows nothing of Ray, sockets or models.
"""

import asyncio
from contextlib import aclosing

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infill_cluster.config import LimitsSection
from infill_cluster.engine_call import AnswerHead, EngineCall
from infill_cluster.gateway.authorization import Authorization
from infill_cluster.gateway.infill import InfillEndpoint
from infill_cluster.gateway.metrics import GatewayMetrics
from infill_cluster.gateway.replicas import ReplicaLost, Replicas
from infill_cluster.security.audit import AuditLog
from infill_cluster.security.tokens import TokenBook
from infill_engine.api import InfillError
from infill_engine.version import VERSION
from infill_engine.wire import EngineHealth, health_to_json

_HEALTH_TIMEOUT_S = 3.0
"""Below the 5 s that clients wait."""


def build_gateway_app(
    limits: LimitsSection,
    model: str,
    replicas: Replicas,
    book: TokenBook | None,
    audit: AuditLog,
    metrics: GatewayMetrics,
) -> Authorization:
    """Return the ASGI application; the caller closes `audit`."""
    endpoint = InfillEndpoint(replicas, limits, audit, metrics)

    async def health(_request: Request) -> Response:
        try:
            async with asyncio.timeout(_HEALTH_TIMEOUT_S):
                return await _ask(replicas, EngineCall("GET", "/v1/health"))
        except (TimeoutError, ReplicaLost, InfillError):
            text = health_to_json(_no_replica(model))
            return Response(text, media_type="application/json")

    async def render_metrics(_request: Request) -> Response:
        return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = Authorization(
        Starlette(
            routes=[
                Route("/v1/infill", endpoint, methods=["POST"]),
                Route("/v1/health", health, methods=["GET"]),
                Route("/metrics", render_metrics, methods=["GET"]),
            ]
        ),
        book,
    )
    metrics.watch_placements(replicas.placements)
    metrics.watch(
        "infill_gateway_unauthorized", "Requests without a valid token.", lambda: app.num_refused
    )
    metrics.watch(
        "infill_gateway_audit_failures", "Audit lines not written.", lambda: audit.num_failed
    )
    return app


async def _ask(replicas: Replicas, call: EngineCall) -> Response:
    status_code = 502
    chunks: list[bytes] = []
    async with aclosing(replicas.ask(call, key="")) as parts:
        async for part in parts:
            if isinstance(part, AnswerHead):
                status_code = part.status_code
            else:
                chunks.append(part)
    return Response(b"".join(chunks), status_code, media_type="application/json")


def _no_replica(model: str) -> EngineHealth:
    return EngineHealth(
        status="loading",
        why="",
        code="",
        version=VERSION,
        model=model,
        stage="no replica of the engine is ready",
        fraction=0.0,
        num_queued=0,
        num_running=0,
        idle_s=0.0,
    )
