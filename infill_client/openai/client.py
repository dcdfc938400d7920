"""The asynchronous client of a server that speaks OpenAI's API: the same as of our own engine.

Raises only errors of the contract's tree. Knows nothing of how prompts are laid out or answers cut.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from infill_client.openai.attempt import Attempt, attempt_for
from infill_client.openai.calls import ApiCalls
from infill_client.openai.errors import BrokenOff, BusyFor, ContextTooLong
from infill_client.openai.probe import ProbedServer
from infill_client.privacy import where_code_goes
from infill_client.transport import InfillEvent
from infill_engine.api import InfillRequest, InfillResult, InfillUpdate

if TYPE_CHECKING:
    from infill_engine.wire import EngineHealth

_CHARS_PER_TOKEN = 2.5
"""Of code, at least: what is left over of a context is better than what was too much for it."""
_RESERVED_TOKENS = 256
"""Of a context: the task's words and the model's turn."""
_UNKNOWN_CONTEXT_CHARS = 8_000
_MOST_BREAKS = 2
_MOST_CUTS = 4
"""A server that does not say how long a prompt was gets half of it each time."""
_LEAST_CHARS = 200
_BUDGET_CHARS = (1_000, 24_000)
"""Least and most that is sent: code further away hardly helps, and each keystroke would pay."""


class OpenAiClient:
    """One server's client; keeps its connections open between requests.

    Belongs to the event loop it was first used in. Close it with `aclose` or `async with`.
    """

    def __init__(self, server: ProbedServer, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a server that `probe` has looked at.

        Raises:
            ConfigError: its file of certificates cannot be used.
        """
        self.server = server
        self._clock = clock
        self._calls = ApiCalls(server.address, server.capabilities.model)
        self._share = 1.0
        self._busy_until_s = float("-inf")
        self._busy_words = ""

    async def infill(self, request: InfillRequest, document_id: str = "") -> InfillResult:
        """Fill the gap and return the final text; cancelling the task cancels the request.

        Args:
            request: the gap.
            document_id: not sent; nothing there replaces one request by another.

        Raises:
            InfillError: as the server refuses, or EngineUnavailable when it cannot be reached.
        """
        async with aclosing(self.stream(request, document_id)) as events:
            async for event in events:
                if isinstance(event, InfillResult):
                    return event
        raise AssertionError("a stream ends with its result")

    async def stream(
        self, request: InfillRequest, document_id: str = ""
    ) -> AsyncGenerator[InfillEvent, None]:
        """Yield an update with every piece of the answer, then exactly one result.

        What breaks off before the first update is asked again; what is longer than the model's
        context is cut until it fits, four times at most, and so is what is asked from then on.
        Closing the iterator closes the connection.

        Raises:
            InfillError: as the server refuses, or EngineUnavailable when it cannot be reached.
        """
        started_s = self._clock()
        if started_s < self._busy_until_s:
            raise BusyFor(self._busy_words, self._busy_until_s - started_s)
        num_cuts = num_breaks = 0
        while True:
            attempt = self._attempt(request, started_s, streams=not num_breaks)
            has_begun = False
            try:
                async with aclosing(attempt.run(self._calls)) as events:
                    async for event in events:
                        has_begun = has_begun or isinstance(event, InfillUpdate)
                        yield event
                return
            except BusyFor as busy:
                self._busy_until_s = self._clock() + busy.wait_s
                self._busy_words = str(busy)
                raise
            except ContextTooLong as error:
                if has_begun or num_cuts == _MOST_CUTS:
                    raise
                num_cuts += 1
                self._share *= error.fitting_share
            except BrokenOff:
                # Whole instead of streamed: some servers can refuse only before they stream. Twice,
                # since the next request may go over the connection that is just being closed.
                if has_begun or num_breaks == _MOST_BREAKS:
                    raise
                num_breaks += 1

    async def health(self) -> "EngineHealth":
        """Ask whether the server still answers.

        Raises:
            EngineUnavailable: it cannot be reached.
            ConfigError: it does not accept the token.
        """
        from infill_engine.version import VERSION
        from infill_engine.wire import EngineHealth

        await self._calls.models()
        return EngineHealth(
            status="ready",
            why="",
            code="",
            version=VERSION,
            model=self.server.capabilities.model,
            stage="",
            fraction=1.0,
            num_queued=0,
            num_running=0,
            idle_s=0.0,
            details=await self.details(),
        )

    async def details(self) -> dict[str, Any]:
        """What was found out of the server, and where the code goes."""
        return {**self.server.describe(), "notice": where_code_goes(self.server.address)}

    async def aclose(self) -> None:
        """Close all connections; requests in flight are cancelled."""
        await self._calls.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()

    def _attempt(self, request: InfillRequest, started_s: float, streams: bool) -> Attempt:
        can = self.server.capabilities
        can = can if streams else replace(can, streams=False)
        return attempt_for(request, can, self._budget_chars(request), started_s, self._clock)

    def _budget_chars(self, request: InfillRequest) -> int:
        context_tokens = self.server.capabilities.context_tokens
        budget_chars = float(_UNKNOWN_CONTEXT_CHARS)
        if context_tokens is not None:
            num_tokens = context_tokens - request.max_new_tokens - _RESERVED_TOKENS
            least, most = _BUDGET_CHARS
            budget_chars = min(max(num_tokens * _CHARS_PER_TOKEN, least), most)
        return max(_LEAST_CHARS, int(budget_chars * self._share))
