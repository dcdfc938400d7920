"""Owns the way to the engine: starts it, waits for it, notices that it died, starts it again.

The editor never sees an engine's failure as an error: it sees a status, and no suggestions until
the engine is back. Knows nothing of LSP or of documents; what travels is infill_engine.api only.
"""

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from infill_engine.api import (
    ConfigError,
    EngineUnavailable,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
)

EngineState = Literal["stopped", "starting", "ready", "unavailable"]

FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 60.0
"""A model that does not fit into memory fails for a minute of loading each time: not too often."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """How the engine is.

    Attributes:
        state: one of four.
        message: words for the user, which hold no code of theirs.
        percent: how much of the model is loaded, 0 to 100; None when nothing is being loaded.
    """

    state: EngineState
    message: str
    percent: int | None = None


class EngineLink(Protocol):
    """A client of one running engine, as infill_client offers it."""

    def stream(
        self, request: InfillRequest, document_id: str
    ) -> AsyncIterator[InfillUpdate | InfillResult]:
        """Yield updates, then exactly one result; closing it cancels the request."""
        ...

    async def details(self) -> dict[str, Any]:
        """The engine's description of itself."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


Report = Callable[[str, int | None], None]
"""Told how far a start is: in words, and in percent where that is known."""

Connect = Callable[[Report], Awaitable[EngineLink]]
"""Starts or finds the engine and returns when it is ready, reporting progress.

Raises an InfillError when it cannot.
"""


class EngineConnection:
    """The one engine this server talks to.

    Use from one event loop only.
    """

    def __init__(
        self,
        connect: Connect,
        on_status: Callable[[EngineStatus], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = secrets.token_hex(8)  # tells this server's documents from others'
        self._connect = connect
        self._on_status = on_status
        self._clock = clock
        self._status = EngineStatus("stopped", "The engine has not been asked for yet.")
        self._link: EngineLink | None = None
        self._details: dict[str, Any] = {}
        self._starting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._num_failures = 0
        self._next_start_at = 0.0

    @property
    def status(self) -> EngineStatus:
        """The latest status."""
        return self._status

    @property
    def follows_instructions(self) -> bool:
        """Whether the model does what a rewrite's instruction says; the embedded one does not."""
        return self._details.get("prompt") == "ChatPrompt"

    @property
    def _notice(self) -> str:
        """What the user should know while it is used, such as that code leaves the machine."""
        notice = self._details.get("notice")
        return notice if isinstance(notice, str) else ""

    def start(self) -> None:
        """See to it that the engine runs; returns at once.

        Does nothing while it runs or starts, or before the back-off of earlier failures is over.
        """
        if self._link or self._starting or self._clock() < self._next_start_at:
            return
        self._starting = asyncio.ensure_future(self._start())

    async def wait_until_settled(self) -> None:
        """Return when no start is in progress any more, however it ended."""
        if self._starting:
            await asyncio.wait({self._starting})

    async def stream(
        self, request: InfillRequest, document: str
    ) -> AsyncGenerator[InfillUpdate | InfillResult, None]:
        """Yield updates, then one result. Closing it cancels the request in the engine.

        Args:
            request: the gap.
            document: what it is in; the engine ends an older request of ours for the same, and a
                cluster sends it where the document's prompt is.

        Raises:
            EngineUnavailable: no engine is ready, or it ended; a new one is started, back-off
                permitting.
            InfillError: the engine refused the request.
        """
        self.start()
        link = self._link
        if link is None:
            raise EngineUnavailable(self._status.message)
        # A digest: where files lie is nobody's business but the user's.
        digest = hashlib.blake2b(document.encode(), digest_size=8).hexdigest()
        updates = link.stream(request, f"{self._name} {digest}")
        try:
            async for update in updates:
                yield update
            self._num_failures = 0
        except (EngineUnavailable, ConfigError) as error:
            # ConfigError: the token is not accepted, so the port is another process' by now.
            self._lose(link, str(error))
            raise
        finally:
            # The iterator of a plain client may be a generator: close it now, not when collected.
            if isinstance(updates, AsyncGenerator):
                await updates.aclose()

    async def close(self) -> None:
        """End every connection; the engine itself goes on, other editors may use it."""
        if self._starting:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        link, self._link = self._link, None
        if link:
            await link.aclose()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _start(self) -> None:
        try:
            self._set_status("starting", "The engine is starting.")
            link = await self._connect(
                lambda words, percent: self._set_status("starting", words, percent)
            )
            self._details = await link.details()
            self._link = link
            self._set_status("ready", f"The engine is ready. {self._notice}".rstrip())
        except InfillError as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(f"The engine could not be started: {error.strerror or error}.")
        except Exception as error:
            # A bug of ours: without this the status would say "starting" for good.
            self._fail(f"The engine could not be started ({type(error).__name__}).")
        finally:
            self._starting = None

    def _fail(self, why: str) -> None:
        back_off_s = min(FIRST_BACK_OFF_S * 2**self._num_failures, LONGEST_BACK_OFF_S)
        self._num_failures += 1
        self._next_start_at = self._clock() + back_off_s
        self._set_status("unavailable", why)

    def _lose(self, link: EngineLink, why: str) -> None:
        """Note that the engine is gone, and have it started again unless it dies every time."""
        if link is not self._link:
            return
        self._link = None
        closing = asyncio.ensure_future(_close_quietly(link))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._fail(why)
        if self._num_failures == 1:
            # It worked until now: no reason to keep the user waiting.
            self._next_start_at = 0.0
        self.start()

    def _set_status(self, state: EngineState, message: str, percent: int | None = None) -> None:
        status = EngineStatus(state, message, percent)
        if status != self._status:
            self._status = status
            self._on_status(status)


async def _close_quietly(link: EngineLink) -> None:
    with contextlib.suppress(InfillError, OSError):
        await link.aclose()
