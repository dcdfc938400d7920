"""The far side: a server that speaks OpenAI's API as far as it is told to.

Counts tokens as words and signs, renders conversations as vLLM does, and writes what it is told.
"""

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from infill_client.address import EngineAddress

GAP_START = 'names = ["one"'


@dataclass
class FakeServer:
    """Runs in a thread; set its attributes, then ask.

    Attributes:
        pieces: what every answer is made of, but for the probe's gap.
        models: what it lists.
        token: what it wants to be shown; "" for nothing.
        has_chat, takes_suffix, continues, streams: what it can do.
        always_continues: goes on with the model's own message without being asked to.
        adds_no_turn: its template closes a message with one token and opens none for the model.
        drops_suffix: takes a suffix and leaves it out of the prompt, as llama.cpp's server does.
        repeats_begun: an answer that goes on with the model's message and comes whole begins with
            that, as llama.cpp's server has it.
        takes_sampling: answers requests with a temperature or a seed; vLLM does not where a model
            denoises.
        fills_gaps: whether what it writes into the probe's gap is what belongs there.
        fim: tokens that it takes for tokens of a model that fills gaps.
        refuse_with: (status, headers, body) instead of an answer to each of these many requests.
        num_refused: how many requests are refused yet; None for all.
        break_after: pieces after which answers end without their end; None: never.
        num_broken: how many answers break off yet; None for all.
        finish_reason: of each answer.
        requests: path and JSON of each request for an answer, in order.
        ports: the client's, of each request for an answer: one for each connection.
        num_abandoned: answers whose connection the client closed before the end.
    """

    pieces: list[str] = field(default_factory=lambda: ["1"])
    models: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "tiny"}])
    token: str = ""
    has_chat: bool = True
    takes_suffix: bool = False
    drops_suffix: bool = False
    repeats_begun: bool = False
    takes_sampling: bool = True
    fills_gaps: bool = True
    continues: bool = False
    always_continues: bool = False
    adds_no_turn: bool = False
    streams: bool = True
    fim: tuple[str, ...] = ()
    refuse_with: tuple[int, dict[str, str], Any] | None = None
    num_refused: int | None = None
    break_after: int | None = None
    num_broken: int | None = None
    finish_reason: str = "stop"
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    num_abandoned: int = 0

    def __post_init__(self) -> None:
        self._may_go_on = threading.Event()
        self._may_go_on.set()

    @property
    def address(self) -> EngineAddress:
        return EngineAddress(self.url, self.token)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._port}"

    @property
    def asked(self) -> dict[str, Any]:
        """The latest request for an answer."""
        return self.requests[-1][1]

    def hold(self) -> None:
        """From now on answers stop after their first piece, until `release`."""
        self._may_go_on.clear()

    def release(self) -> None:
        self._may_go_on.set()

    def start(self, certificate: Any = None) -> None:
        """Listen, with TLS if given (certificate file, key file)."""
        app = Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._answer, methods=["POST"]),
                Route("/v1/completions", self._answer, methods=["POST"]),
            ]
        )
        self._scheme = "https" if certificate else "http"
        tls = {"ssl_certfile": certificate[0], "ssl_keyfile": certificate[1]} if certificate else {}
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", **tls)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            self._thread.join(0.01)
        self._port = self._server.servers[0].sockets[0].getsockname()[1]

    def stop(self) -> None:
        self.release()
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    async def _models(self, request: Request) -> Response:
        if refusal := self._wrong_token(request):
            return refusal
        return JSONResponse({"object": "list", "data": self.models})

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        path = request.url.path.removeprefix("/v1")
        self.requests.append((path, body))
        assert request.client is not None
        self.ports.append(request.client.port)
        if refusal := self._wrong_token(request) or self._refusal() or self._cannot(path, body):
            return refusal
        prompt = self._prompt(path, body)
        is_gap = GAP_START in prompt and bool(body.get("suffix") or self._is_fim(prompt))
        pieces = ["four"] if is_gap and self.fills_gaps else list(self.pieces)
        if not (self.streams and body.get("stream")):
            last = body["messages"][-1] if self.repeats_begun and "messages" in body else {}
            begun = last["content"] if last.get("role") == "assistant" else ""
            text = begun + "".join(pieces)
            return JSONResponse(self._chunk(path, text, prompt, is_last=True))
        return StreamingResponse(
            self._events(request, path, pieces), media_type="text/event-stream"
        )

    async def _events(self, request: Request, path: str, pieces: list[str]) -> AsyncIterator[str]:
        is_finished = False
        try:
            yield ": a sign of life\r\n\r\n"
            for piece_idx, piece in enumerate(pieces):
                if self._breaks_at(piece_idx):
                    is_finished = True
                    return
                yield f"data: {json.dumps(self._chunk(path, piece))}\r\n\r\n"
                while not self._may_go_on.is_set():
                    await asyncio.sleep(0.01)
                    if await request.is_disconnected():
                        return
            yield f"data: {json.dumps(self._chunk(path, '', is_last=True))}\r\n\r\n"
            yield "data: [DONE]\r\n\r\n"
            is_finished = True
        finally:
            if not is_finished:
                self.num_abandoned += 1

    def _breaks_at(self, piece_idx: int) -> bool:
        if self.break_after is None or piece_idx < self.break_after or self.num_broken == 0:
            return False
        if self.num_broken is not None:
            self.num_broken -= 1
        return True

    def _wrong_token(self, request: Request) -> Response | None:
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": {"message": "Invalid API key"}}, status_code=401)
        return None

    def _refusal(self) -> Response | None:
        if self.refuse_with is None or self.num_refused == 0:
            return None
        if self.num_refused is not None:
            self.num_refused -= 1
        status_code, headers, body = self.refuse_with
        return JSONResponse(body, status_code=status_code, headers=headers)

    def _cannot(self, path: str, body: dict[str, Any]) -> Response | None:
        if not self.takes_sampling and ("temperature" in body or "seed" in body):
            error = {
                "type": "BadRequestError",
                "message": "not supported with diffusion models",
            }
            return JSONResponse({"error": error}, status_code=400)
        if path == "/chat/completions" and not self.has_chat:
            error = {"type": "BadRequestError", "message": "no chat template"}
            return JSONResponse({"error": error}, status_code=400)
        if body.get("suffix") and not self.takes_suffix:
            error = {"message": "suffix is not currently supported"}
            return JSONResponse({"error": error}, status_code=400)
        return None

    def _prompt(self, path: str, body: dict[str, Any]) -> str:
        if path == "/completions":
            return body["prompt"] + ("" if self.drops_suffix else body.get("suffix") or "")
        turn = "" if self.adds_no_turn else "<|assistant|> "
        messages = [
            f"{turn and '<|' + m['role'] + '|>'} {m['content']} <|end|> " for m in body["messages"]
        ]
        last = body["messages"][-1]
        is_asked = self.continues and body.get("continue_final_message")
        if last["role"] == "assistant" and (is_asked or self.always_continues):
            return "".join(messages[:-1]) + turn + last["content"]
        if self.continues and not body.get("add_generation_prompt", True):
            return "".join(messages)
        return "".join(messages) + turn

    def _is_fim(self, prompt: str) -> bool:
        return bool(self.fim) and all(token in prompt for token in self.fim)

    def _chunk(
        self, path: str, text: str, prompt: str | None = None, is_last: bool = False
    ) -> dict[str, Any]:
        choice: dict[str, Any] = {"finish_reason": self.finish_reason if is_last else None}
        if path == "/completions":
            choice["text"] = text
        elif prompt is None:
            choice["delta"] = {"content": text, "role": "assistant"}
        else:
            choice["message"] = {"content": text, "role": "assistant"}
        chunk: dict[str, Any] = {"choices": [choice], "model": "tiny"}
        if prompt is not None:
            for token in self.fim:
                prompt = prompt.replace(token, " § ")
            num_tokens = len(re.findall(r"<\|\w+\|>|\w+|[^\w\s]", prompt))
            chunk["usage"] = {"prompt_tokens": num_tokens, "completion_tokens": 1}
        return chunk


@contextlib.contextmanager
def running_server(certificate: Any = None, **attributes: Any) -> Iterator[FakeServer]:
    """A server that is gone afterwards."""
    server = FakeServer(**attributes)
    server.start(certificate)
    try:
        yield server
    finally:
        server.stop()
