"""The far side of the language server: an engine that speaks API v1 and says what it is told to."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from infill_engine.api import InfillResult, InfillUpdate
from infill_engine.wire import EngineHealth, health_to_json, result_to_json, update_to_json

TOKEN = "only-for-tests"


class FakeEngine:
    """Runs in a thread; set its attributes, then ask.

    Attributes:
        middle: what every request is answered with.
        settled_chars: how much of it the step before the last says is settled; None: all.
        finish_reason: of the result.
        leading_confidence: of the result and of the step; empty claims nothing.
        token_chars: characters of each canvas position in the step.
        status: "loading", "ready" or "failed", for the health answer.
        break_off: end the connection in mid-answer.
        refuse_with: (HTTP status, error code) instead of an answer.
        details: what it says of itself in the health answer.
        requests: every request's JSON, in order.
        num_abandoned: requests whose connection the client closed before the end.
    """

    def __init__(self) -> None:
        self.middle = "1"
        self.settled_chars: int | None = None
        self.finish_reason: Any = "converged"
        self.leading_confidence: tuple[tuple[int, float], ...] = ()
        self.token_chars: tuple[int, ...] = ()
        self.status: Any = "ready"
        self.break_off = False
        self.refuse_with: tuple[int, str] | None = None
        self.details: dict[str, Any] = {"prompt": "SpmPrompt"}
        self.requests: list[dict[str, Any]] = []
        self.num_abandoned = 0
        self._may_finish = threading.Event()
        self._may_finish.set()
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def hold(self) -> None:
        """From now on requests get their first step, and no end before `release`."""
        self._may_finish.clear()

    def release(self) -> None:
        self._may_finish.set()

    def start(self) -> None:
        """Listen, on the port of before if there was one."""
        app = Starlette(
            routes=[
                Route("/v1/health", self._health),
                Route("/v1/infill", self._infill, methods=["POST"]),
            ]
        )
        config = uvicorn.Config(app, host="127.0.0.1", port=self._port, log_level="critical")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            self._thread.join(0.01)
        self._port = self._server.servers[0].sockets[0].getsockname()[1]

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve()

        asyncio.run(serve())

    def kill(self) -> None:
        """End at once, in mid-answer if there is one."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._loop.call_soon_threadsafe(self._drop_connections)
        self._thread.join()

    def _drop_connections(self) -> None:
        """As the death of a process would; a server that ends leaves some open."""
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()  # pyright: ignore

    async def _health(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"code": "config", "message": "Wrong token."}, status_code=401)
        health = EngineHealth(
            status=self.status,
            why="There is no model." if self.status == "failed" else "",
            code="checkpoint" if self.status == "failed" else "",
            version="0.1.0",
            model="fake",
            stage="reading the model",
            fraction=0.5,
            num_queued=0,
            num_running=0,
            idle_s=0.0,
            details=self.details,
        )
        return Response(health_to_json(health), media_type="application/json")

    async def _infill(self, request: Request) -> Response:
        self.requests.append(json.loads(await request.body()))
        if self.refuse_with:
            status_code, code = self.refuse_with
            return JSONResponse({"code": code, "message": "No."}, status_code=status_code)
        return StreamingResponse(self._events(request), media_type="text/event-stream")

    async def _events(self, request: Request) -> AsyncIterator[str]:
        settled_chars = len(self.middle) if self.settled_chars is None else self.settled_chars
        step = InfillUpdate(
            0,
            0,
            self.middle,
            settled_chars,
            (0.1,),
            1,
            self.token_chars,
            self.leading_confidence,
        )
        is_finished = False
        try:
            yield f"event: step\r\ndata: {update_to_json(step)}\r\n\r\n"
            while not self._may_finish.is_set():
                await asyncio.sleep(0.01)
                if await request.is_disconnected():
                    return
            if self.break_off:
                is_finished = True
                raise ConnectionAbortedError
            result = InfillResult(
                self.middle, self.finish_reason, 1, 1, 1, 0, 1, 0.1, {}, self.leading_confidence
            )
            yield f"event: done\r\ndata: {result_to_json(result)}\r\n\r\n"
            is_finished = True
        finally:
            if not is_finished:
                self.num_abandoned += 1


@contextlib.contextmanager
def running_fake_engine() -> Any:
    """An engine that is gone afterwards."""
    engine = FakeEngine()
    try:
        yield engine
    finally:
        engine.release()
        engine.kill()
