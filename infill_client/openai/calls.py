"""The HTTP calls: the list of models, a whole answer, an answer piece by piece.

Every failure becomes an error of the contract's tree. Knows nothing of gaps or of prompts.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
from httpx_sse import EventSource

from infill_client.address import EngineAddress
from infill_client.openai.answers import (
    Answer,
    ModelList,
    NotOpenAiJsonError,
    read_answer,
    read_models,
)
from infill_client.openai.errors import (
    broken_off,
    error_in_answer,
    error_of_status,
    not_openai,
    unknown_model,
)
from infill_client.transport import http_options, transport_errors, unreachable
from infill_engine.api import EngineUnavailable, RequestTooLarge

CHAT_PATH = "/chat/completions"
COMPLETIONS_PATH = "/completions"
_MODELS_PATH = "/models"
_MAX_BODY_BYTES = 4_000_000
"""Of an answer that comes whole: far more than the text of any gap and the names of all models."""
_DONE = "[DONE]"
_DRAIN_S = 0.1


def api_url(url: str) -> str:
    """Return where the API begins: `url` itself, or its /v1 when it names a host alone."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1"


class ApiCalls:
    """The calls to one server; keeps its connections open between them.

    Belongs to the event loop it was first used in. Close it with `aclose`.

    Attributes:
        address: the server's.
        model: the name that is sent with every call.
    """

    def __init__(self, address: EngineAddress, model: str) -> None:
        """Take where and whom to ask.

        Raises:
            ConfigError: the address' file of certificates cannot be used.
        """
        self.address = address
        self.model = model
        options = http_options(address)
        options["base_url"] = api_url(address.url)
        self._http = httpx.AsyncClient(**options)

    async def models(self) -> ModelList:
        """List the models that the server has.

        Raises:
            InfillError: it refused, or what answers is another kind of server.
        """
        try:
            async with self._http.stream("GET", _MODELS_PATH) as response:
                body = await self._body(response)
        except transport_errors() as error:
            raise self._lost(error) from None
        self._check(response, body)
        try:
            return read_models(body)
        except NotOpenAiJsonError:
            raise not_openai(self.address, "it lists no models") from None

    async def ask(self, path: str, body: dict[str, Any]) -> Answer:
        """Return a whole answer.

        Raises:
            InfillError: the server refused, or the connection failed.
        """
        async for answer in self.pieces(path, {**body, "stream": False}):
            return answer
        raise broken_off(self.address)

    async def pieces(self, path: str, body: dict[str, Any]) -> AsyncGenerator[Answer, None]:
        """Yield an answer piece by piece, or whole when the server does not stream.

        Closing the generator closes the connection, which tells the server to stop.

        Raises:
            InfillError: the server refused, or the connection failed; `BrokenOff` when the answer
                ended without saying so.
        """
        try:
            async with self._http.stream(
                "POST", path, json={"model": self.model, **body}
            ) as response:
                if response.status_code != 200:
                    self._check(response, await self._body(response))
                if not _is_event_stream(response):
                    yield self._read(await self._body(response))
                    return
                has_ended = False
                events = EventSource(response).aiter_sse()
                async for event in events:
                    if event.data == _DONE:
                        await _drain(events)
                        return
                    if not event.data:  # a sign of life
                        continue
                    answer = self._read(event.data)
                    has_ended = has_ended or answer.finish_reason is not None
                    yield answer
        except transport_errors() as error:
            raise self._lost(error) from None
        if not has_ended:
            raise broken_off(self.address)

    async def streams(self, path: str, body: dict[str, Any]) -> bool:
        """Whether an answer comes while it is being written.

        Raises:
            InfillError: the server refused, or the connection failed.
        """
        asked = {"model": self.model, **body, "stream": True}
        try:
            async with self._http.stream("POST", path, json=asked) as response:
                if response.status_code != 200:
                    self._check(response, await self._body(response))
                return _is_event_stream(response)
        except transport_errors() as error:
            raise self._lost(error) from None

    async def aclose(self) -> None:
        """Close all connections; answers that are still coming break off."""
        await self._http.aclose()

    def _read(self, text: str | bytes) -> Answer:
        try:
            answer = read_answer(text)
        except NotOpenAiJsonError:
            raise not_openai(self.address, "its answer cannot be read") from None
        if answer.error is not None:
            raise error_in_answer(answer.error, self.address, self.model)
        return answer

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > _MAX_BODY_BYTES:
                raise RequestTooLarge(
                    f"{self.address.url} answered with more than {_MAX_BODY_BYTES} bytes, which "
                    "no answer to such a request has."
                )
        return bytes(body)

    def _check(self, response: httpx.Response, body: bytes) -> None:
        if response.status_code != 200:
            raise error_of_status(
                response.status_code, response.headers, body, self.address, self.model
            )

    def _lost(self, error: Exception) -> EngineUnavailable:
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
            return broken_off(self.address)
        return unreachable(error, self.address)


async def _drain(events: AsyncIterator[object]) -> None:
    """Read to the end: a connection that is left before it can not be used again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in events:
                pass


def _is_event_stream(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip() == "text/event-stream"


def choose_model(address: EngineAddress, models: ModelList, wanted: str) -> str:
    """Return the model to use: the wanted one, or the only one.

    Raises:
        ConfigError: the server does not have it, or a choice is to be made.
    """
    names = [model.id for model in models.data]
    if wanted in names or (not wanted and len(names) == 1):
        return wanted or names[0]
    # Ollama's names end with ":latest" unless another tag is given.
    if f"{wanted}:latest" in names:
        return f"{wanted}:latest"
    raise unknown_model(address, wanted, names)
