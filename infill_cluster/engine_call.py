"""A call of an engine's HTTP application from another process, and the parts of its answer.

    GET  path, or POST path with a body  →  AnswerHead, then the body's chunks as they come

The application is the engine's own, unchanged: only the socket between is left out. A caller that
stops listening ends the call, as a closed connection would. Knows nothing of Ray or of engines.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.types import ASGIApp, Message

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EngineCall:
    """One HTTP request without a socket.

    Attributes:
        method: "GET" or "POST".
        path: "/v1/infill", "/v1/health" or "/metrics".
        headers: names in lower case.
        body: whole body.
    """

    method: str
    path: str
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Status and headers of an answer."""

    status_code: int
    headers: Headers


AnswerPart = AnswerHead | bytes


HEARTBEAT = b""
"""A chunk that says nothing but that somebody is there."""


async def call_application(
    app: ASGIApp, call: EngineCall, heartbeat_s: float
) -> AsyncGenerator[AnswerPart, None]:
    """Yield the head of the answer, then each chunk of its body as the application sends it.

    Closing the generator cancels the application's work on the call.

    Args:
        app: what is called.
        call: with what.
        heartbeat_s: `HEARTBEAT` is yielded at once, and whenever there was nothing for so long.
    """
    sent: asyncio.Queue[Message | None] = asyncio.Queue()
    never = asyncio.Event()
    is_read = False

    async def receive() -> Message:
        nonlocal is_read
        if not is_read:
            is_read = True
            return {"type": "http.request", "body": call.body, "more_body": False}
        await never.wait()  # who leaves is told by cancelling the task
        return {"type": "http.disconnect"}

    async def run() -> None:
        try:
            await app(_scope(call), receive, sent.put)
        finally:
            sent.put_nowait(None)

    task = asyncio.create_task(run())
    try:
        yield HEARTBEAT
        while True:
            try:
                # Not `wait_for`: in Python 3.11 it swallows a cancellation that meets a message.
                async with asyncio.timeout(heartbeat_s):
                    message = await sent.get()
            except TimeoutError:
                yield HEARTBEAT
                continue
            if message is None:
                break
            if message["type"] == "http.response.start":
                headers = tuple(
                    (name.decode(), value.decode()) for name, value in message["headers"]
                )
                yield AnswerHead(message["status"], headers)
            elif body := message.get("body", b""):
                yield bytes(body)
        await task  # raises what went wrong inside
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


def _scope(call: EngineCall) -> dict[str, object]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.path,
        "raw_path": call.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in call.headers],
        "client": None,
        "server": ("127.0.0.1", 0),
    }
