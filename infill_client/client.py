"""The asynchronous client of an engine: what the language server talks through.

Raises only errors of the contract's tree. Knows nothing of how engines are found or started
(see `launcher`).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Self

from infill_client.address import EngineAddress
from infill_client.privacy import where_code_goes
from infill_client.transport import (
    HEALTH_PATH,
    INFILL_PATH,
    InfillEvent,
    broken_off,
    check_answer,
    http_options,
    infill_headers,
    read_event,
    transport_errors,
    unreachable,
)
from infill_engine.api import InfillRequest, InfillResult

if TYPE_CHECKING:
    import httpx

    from infill_engine.wire import EngineHealth


_END_TIMEOUT_S = 0.2
"""Longest wait for an answer's end once its result is here; it comes within milliseconds."""


class EngineClient:
    """One engine's client; keeps its connections open between requests.

    Belongs to the event loop it was first used in. Close it with `aclose` or `async with`.
    """

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        self._http: httpx.AsyncClient | None = None

    async def infill(self, request: InfillRequest, document_id: str = "") -> InfillResult:
        """Fill the gap and return the final text; cancelling the task cancels the request.

        Args:
            request: the gap.
            document_id: names this client and the document; a newer request of the same name
                replaces one that still waits, which then ends as "cancelled".

        Raises:
            InfillError: as the engine says, or EngineUnavailable when it cannot be reached.
        """
        async with aclosing(self.stream(request, document_id)) as events:
            async for event in events:
                if isinstance(event, InfillResult):
                    return event
        raise broken_off()

    async def stream(
        self, request: InfillRequest, document_id: str = ""
    ) -> AsyncGenerator[InfillEvent, None]:
        """Yield an update after every denoising step, then exactly one result.

        Closing the iterator (`aclose`) cancels the request within one denoising step.

        Raises:
            InfillError: as the engine says, or EngineUnavailable when it cannot be reached.
        """
        from httpx_sse import EventSource

        from infill_engine.wire import request_to_json

        body = request_to_json(request)
        try:
            async with self._open().stream(
                "POST", INFILL_PATH, content=body, headers=infill_headers(document_id)
            ) as response:
                if response.status_code != 200:
                    await response.aread()
                check_answer(response)
                events = EventSource(response).aiter_sse()
                async for sse in events:
                    event = read_event(sse.event, sse.data)
                    if isinstance(event, InfillResult):
                        try:
                            yield event
                        finally:
                            await _read_to_end(events)
                        return
                    if event is not None:
                        yield event
        except transport_errors() as error:
            raise unreachable(error, self.address) from None
        raise broken_off()

    async def health(self) -> "EngineHealth":
        """Ask how the engine is.

        Raises:
            EngineUnavailable: it cannot be reached.
            ConfigError: it does not accept the token.
        """
        from infill_engine.wire import health_from_json

        try:
            response = await self._open().get(HEALTH_PATH, timeout=5.0)
        except transport_errors() as error:
            raise unreachable(error, self.address) from None
        check_answer(response)
        return health_from_json(response.content)

    async def details(self) -> dict[str, Any]:
        """The engine's description of itself (model, device, kind of prompt, ...).

        With the "notice" of where the code goes, which is never what an engine says of itself.

        Raises:
            EngineUnavailable: it cannot be reached.
            ConfigError: it does not accept the token.
        """
        return {**(await self.health()).details, "notice": where_code_goes(self.address)}

    async def aclose(self) -> None:
        """Close all connections; requests in flight are cancelled."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()

    def _open(self) -> "httpx.AsyncClient":
        if self._http is None:
            import httpx

            self._http = httpx.AsyncClient(**http_options(self.address))
        return self._http


async def _read_to_end(events: AsyncIterator[object]) -> None:
    """Read what follows the result, nothing: else httpx closes the connection.

    The next request would then begin with a TLS handshake.
    """
    with suppress(TimeoutError, *transport_errors()):
        async with asyncio.timeout(_END_TIMEOUT_S):
            async for _event in events:
                pass
