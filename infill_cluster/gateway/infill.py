"""The way of one infill request through the gateway — read `_serve`.

Limits, body, a replica, its events to the client, a line in the audit file. A client that leaves
ends the replica's work within a denoising step. Knows nothing of tokens or sockets; the request's
text is passed on and never looked at.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from contextlib import aclosing

from sse_starlette import ServerSentEvent
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from infill_cluster.config import LimitsSection
from infill_cluster.engine_call import AnswerHead, EngineCall
from infill_cluster.gateway.authorization import USER_KEY
from infill_cluster.gateway.metrics import GatewayMetrics
from infill_cluster.gateway.outcome import Outcome
from infill_cluster.gateway.replicas import HeldAnswer, ReplicaLost, Replicas
from infill_cluster.routing import affinity_key
from infill_cluster.security.audit import AuditLog
from infill_cluster.security.limits import LimitExceeded, RateLimiter, StreamLimiter
from infill_engine.api import EngineBusy, EngineUnavailable, InfillError, RequestInvalid
from infill_engine.server.app import DOCUMENT_HEADER, error_response, read_body
from infill_engine.wire import error_to_json

logger = logging.getLogger(__name__)

_TOO_MANY = 429
_TOO_SLOW = 408
_REFUSAL_PAUSE_S = 0.1
"""Before a limit is told: bounds how often one connection can be refused, and nobody waits for it,
as the answer says to come back in a second or more."""
_MAX_PAUSING_PER_USER = 32
"""More refusals at once cost a user their connections."""
_MAX_UNREAD_BYTES = 65_536
"""Of a refused request: so much is read, to keep the connection and its TLS."""


class InfillEndpoint:
    """ASGI application of `POST /v1/infill`."""

    def __init__(
        self, replicas: Replicas, limits: LimitsSection, audit: AuditLog, metrics: GatewayMetrics
    ) -> None:
        self._replicas = replicas
        self._limits = limits
        self._audit = audit
        self._metrics = metrics
        self._rate = RateLimiter(limits.requests_per_minute, limits.burst)
        self._num_pausing: Counter[str] = Counter()
        self._streams = StreamLimiter(limits.max_streams_per_user, limits.max_streams)
        metrics.watch(
            "infill_gateway_open_streams", "Requests in progress.", lambda: self._streams.num_open
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, count it and write its line."""
        outcome = Outcome(scope[USER_KEY])
        try:
            self._rate.take(outcome.user)
            with self._streams.opened(outcome.user):
                await self._serve(outcome, Request(scope, receive), send)
        except LimitExceeded as exceeded:
            await self._refuse_too_many(outcome, exceeded, Request(scope, receive), send)
        except ClientDisconnect:
            pass
        finally:
            self._metrics.count(outcome)
            self._audit.write(outcome.entry())

    async def _refuse_too_many(
        self, outcome: Outcome, exceeded: LimitExceeded, request: Request, send: Send
    ) -> None:
        user, keeps = outcome.user, False
        if self._num_pausing[user] < _MAX_PAUSING_PER_USER:
            self._num_pausing[user] += 1
            try:
                keeps = await self._read_and_drop(request)
                await asyncio.sleep(_REFUSAL_PAUSE_S)
            finally:
                self._num_pausing[user] -= 1
                if not self._num_pausing[user]:
                    del self._num_pausing[user]
        await _refuse(
            outcome,
            EngineBusy(str(exceeded)),
            request.scope,
            send,
            _TOO_MANY,
            exceeded.retry_after_s,
            keeps,
        )

    async def _read_and_drop(self, request: Request) -> bool:
        """Read a small body, so that its connection can be used again; whether it was."""
        announced = request.headers.get("content-length", "")
        if not announced.isdecimal() or int(announced) > _MAX_UNREAD_BYTES:
            return False
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                async for _ in request.stream():
                    pass
        except TimeoutError:
            return False
        return True

    async def _serve(self, outcome: Outcome, request: Request, send: Send) -> None:
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                body = await read_body(request, self._limits.max_request_bytes)
        except InfillError as error:
            await _refuse(outcome, error, request.scope, send)
            return
        except TimeoutError:
            error = RequestInvalid(
                f"The request's body was not here within {self._limits.body_timeout_s:g} s."
            )
            await _refuse(outcome, error, request.scope, send, _TOO_SLOW)
            return
        outcome.request_bytes = len(body)
        relaying = asyncio.create_task(self._relay(outcome, request, body, send))
        leaving = asyncio.create_task(_until_disconnected(request.receive))
        try:
            await asyncio.wait((relaying, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            relaying.cancel()  # of no effect once it has ended
            with contextlib.suppress(asyncio.CancelledError):
                await relaying

    async def _relay(self, outcome: Outcome, request: Request, body: bytes, send: Send) -> None:
        document = request.headers.get(DOCUMENT_HEADER, "")
        key = affinity_key(outcome.user, document)
        headers = (
            ("content-type", "application/json"),
            (DOCUMENT_HEADER.lower(), _engines_document(outcome.user, document, key)),
        )
        call = EngineCall("POST", "/v1/infill", headers, body)
        answer = HeldAnswer(self._replicas, call, key)
        try:
            async with (
                asyncio.timeout(self._limits.request_timeout_s),
                aclosing(answer.parts()) as parts,
            ):
                async for part in parts:
                    outcome.num_retries = answer.num_retries
                    if isinstance(part, AnswerHead):
                        outcome.status_code = part.status_code
                        await send(_start(part))
                    else:
                        outcome.note_chunk(part)
                        await send({"type": "http.response.body", "body": part, "more_body": True})
        except ReplicaLost:
            outcome.num_retries = answer.num_retries
            error = EngineUnavailable(
                "The replica that worked on the request was lost. Ask again: another one answers."
            )
            await _end_with(outcome, error, request.scope, send)
        except TimeoutError:
            error = EngineUnavailable(
                f"The request was not answered within {self._limits.request_timeout_s:g} s. "
                "Ask again, for less text."
            )
            await _end_with(outcome, error, request.scope, send)
        except InfillError as error:
            await _end_with(outcome, error, request.scope, send)
        except Exception as error:
            # The text of a foreign exception may quote the user's code: only its type is told.
            logger.error("request failed: %s", type(error).__name__)
            known = InfillError(f"The gateway failed on this request ({type(error).__name__}).")
            await _end_with(outcome, known, request.scope, send)
        else:
            if not outcome.is_ended:
                error = EngineUnavailable("The replica ended the answer too early. Ask again.")
                await _end_with(outcome, error, request.scope, send)
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _engines_document(user: str, document: str, key: str) -> str:
    """Name user and document to the engine: digests, so that neither is read anywhere.

    The engine divides them at the space. It gives users their turns, and lets a newer request of
    the same name take an older one's place: not where a client has named no document.
    """
    return f"{affinity_key(user, '')} {key if document else secrets.token_hex(8)}"


async def _end_with(outcome: Outcome, error: InfillError, scope: Scope, send: Send) -> None:
    """Send the error as an answer of its own or, where one has begun, as its last event."""
    if not outcome.status_code:
        await _refuse(outcome, error, scope, send)
        return
    outcome.note_error(error, outcome.status_code)
    event = ServerSentEvent(error_to_json(error), event="error").encode()
    await send({"type": "http.response.body", "body": event, "more_body": False})


async def _refuse(
    outcome: Outcome,
    error: InfillError,
    scope: Scope,
    send: Send,
    status_code: int = 0,
    retry_after_s: int = 1,
    keeps_connection: bool = False,
) -> None:
    answer = error_response(error)
    answer.status_code = status_code or answer.status_code
    outcome.note_error(error, answer.status_code)
    if answer.status_code in (_TOO_MANY, 503):
        answer.headers["Retry-After"] = str(retry_after_s)
    if answer.status_code in (_TOO_MANY, _TOO_SLOW) and not keeps_connection:
        answer.headers["Connection"] = "close"  # its body has not been read
    await answer(scope, _receive_nothing, send)


async def _receive_nothing() -> dict[str, str]:
    return {"type": "http.disconnect"}


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(head: AnswerHead) -> dict[str, object]:
    return {
        "type": "http.response.start",
        "status": head.status_code,
        "headers": [(name.encode(), value.encode()) for name, value in head.headers],
    }
