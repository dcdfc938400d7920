"""What the engine serves over HTTP, all of it on one screen.

    POST /v1/infill   a request as JSON → text/event-stream: `step`..., then `done` or `error`
    GET  /v1/health   loading, ready or failed and why
    GET  /metrics     Prometheus

Every path wants the bearer token. A closed connection cancels its request at the next denoising
step. Knows nothing of sockets, signals or models; logs no body.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

from prometheus_client import CONTENT_TYPE_LATEST
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from infill_engine.api import (
    ConfigError,
    EngineBusy,
    EngineUnavailable,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    RequestInvalid,
    RequestTooLarge,
)
from infill_engine.server.engine_worker import EngineWorker
from infill_engine.server.metrics import EngineMetrics
from infill_engine.server.options import ServerOptions
from infill_engine.server.request_queue import InfillJob, JobEvent
from infill_engine.version import VERSION
from infill_engine.wire import (
    EngineHealth,
    error_to_json,
    health_to_json,
    request_from_json,
    result_to_json,
    update_to_json,
)

DOCUMENT_HEADER = "X-Infill-Document"
"""Names client and document, divided by a space; a newer request of the same name ends an older."""
STATUS_OF_ERROR: dict[type[InfillError], int] = {
    RequestInvalid: 422,
    RequestTooLarge: 413,
    EngineBusy: 503,
    EngineUnavailable: 503,
    ConfigError: 401,
}


def build_app(
    options: ServerOptions, token: str, worker: EngineWorker, metrics: EngineMetrics
) -> Starlette:
    """Return the ASGI application; the caller starts and closes `worker`."""

    async def infill(request: Request) -> Response:
        job_events: asyncio.Queue[JobEvent] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def deliver(event: JobEvent) -> None:
            # The loop is closed when the process ends in mid-request: nobody is left to tell.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(job_events.put_nowait, event)

        infill_request: InfillRequest | None = None
        try:
            body = await read_body(request, options.max_request_bytes)
            infill_request = request_from_json(body)
            job = InfillJob(infill_request, request.headers.get(DOCUMENT_HEADER, ""), deliver)
            worker.submit(job)
        except InfillError as error:
            metrics.count_error(infill_request.mode if infill_request else "unknown", error.code)
            return error_response(error)
        except ClientDisconnect:
            return Response(status_code=400)

        async def abandon(_message: object) -> None:
            worker.abandon(job)

        return EventSourceResponse(
            _stream(job, job_events, worker), client_close_handler_callable=abandon
        )

    async def health(_request: Request) -> Response:
        state = worker.load_state
        answer = EngineHealth(
            status=state.status,
            why=state.why,
            code=state.code,
            version=VERSION,
            model=options.model,
            stage=state.stage,
            fraction=state.fraction,
            num_queued=worker.num_queued,
            num_running=worker.num_running,
            idle_s=worker.idle_s,
            details=state.details or {},
        )
        return Response(health_to_json(answer), media_type="application/json")

    async def render_metrics(_request: Request) -> Response:
        return Response(metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Starlette(
        routes=[
            Route("/v1/infill", infill, methods=["POST"]),
            Route("/v1/health", health, methods=["GET"]),
            Route("/metrics", render_metrics, methods=["GET"]),
        ],
        middleware=[Middleware(_BearerToken, token=token)],
    )


async def _stream(
    job: InfillJob, job_events: asyncio.Queue[JobEvent], worker: EngineWorker
) -> AsyncIterator[ServerSentEvent]:
    try:
        while True:
            event = await job_events.get()
            if isinstance(event, InfillUpdate):
                yield ServerSentEvent(update_to_json(event), event="step")
            elif isinstance(event, InfillResult):
                yield ServerSentEvent(result_to_json(event), event="done")
                return
            else:
                yield ServerSentEvent(error_to_json(event), event="error")
                return
    finally:
        worker.abandon(job)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the request's body; raises RequestTooLarge when it is over `max_bytes`."""
    # Over the limit the rest is read and thrown away: a client that is still sending would see
    # a broken connection instead of the answer. Four times over, it may.
    chunks: list[bytes] = []
    num_bytes = 0
    async for chunk in request.stream():
        num_bytes += len(chunk)
        if num_bytes <= max_bytes:
            chunks.append(chunk)
        elif num_bytes > 4 * max_bytes:
            break
        else:
            chunks.clear()
    if num_bytes > max_bytes:
        raise RequestTooLarge(
            f"The request body is over the limit of {max_bytes} bytes. "
            "Send only the text around the cursor."
        )
    return b"".join(chunks)


def error_response(error: InfillError) -> Response:
    """Return the answer that stands for `error`: its status, its code and its message."""
    return Response(
        error_to_json(error),
        status_code=STATUS_OF_ERROR.get(type(error), 500),
        media_type="application/json",
    )


class _BearerToken:
    """Answers 401 to whoever does not know the token; other users of the machine do not."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        got = dict(scope["headers"]).get(b"authorization", b"")
        if secrets.compare_digest(got, self._expected):
            await self._app(scope, receive, send)
            return
        answer = error_response(ConfigError("The engine did not accept the token."))
        await answer(scope, receive, send)
