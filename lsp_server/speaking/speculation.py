"""Fills the place behind a suggestion while that is read, so that accepting leads straight on.

At most one per document, and anything else that wants the engine ends them all: nobody ever waits
for a guess. Knows nothing of what is worth guessing at, nor of how a gap is filled.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lsp_server.speaking.gap import Gap
from lsp_server.speaking.neighbours import Remembered

READING_S = 0.15
"""Time before the engine is asked: a suggestion that is typed over at once was not being read."""

Fill = Callable[[str, Gap], Awaitable[Remembered | None]]
"""Fills a gap of a document, named by its URI, at the lowest priority; None for nothing."""
OnFilled = Callable[[str, Gap, Remembered], None]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Running:
    gap: Gap
    task: asyncio.Task[None]


class Speculation:
    """The guesses in progress.

    Use from one event loop only.
    """

    def __init__(self, fill: Fill, on_filled: OnFilled, sleep: Sleep = asyncio.sleep) -> None:
        """Set up.

        Args:
            fill: asks the engine; cancelled when the guess is of no use any more.
            on_filled: takes each answer.
            sleep: waits for so many seconds.
        """
        self._fill = fill
        self._on_filled = on_filled
        self._sleep = sleep
        self._running: dict[str, _Running] = {}

    @property
    def num_running(self) -> int:
        """How many documents have a guess in progress."""
        return len(self._running)

    def start(self, uri: str, gap: Gap) -> None:
        """Begin to fill `gap`, ending an older guess in the same document."""
        self.cancel(uri)
        task = asyncio.ensure_future(self._run(uri, gap))
        self._running[uri] = _Running(gap, task)

    def is_running(self, uri: str, gap: Gap) -> bool:
        """Say whether this very place is being filled."""
        running = self._running.get(uri)
        return running is not None and running.gap.is_same_place(gap)

    async def join(self, uri: str) -> None:
        """Return when the guess in this document has ended; at once when there is none.

        Cancelling the caller ends the guess too: it was the last one who wanted it.
        """
        running = self._running.get(uri)
        if running is None:
            return
        try:
            await asyncio.wait({running.task})
        except asyncio.CancelledError:
            running.task.cancel()
            raise

    def cancel(self, uri: str) -> None:
        """End the guess in this document, if any."""
        running = self._running.pop(uri, None)
        if running is not None:
            running.task.cancel()

    def cancel_all(self) -> None:
        """End every guess."""
        for uri in list(self._running):
            self.cancel(uri)

    async def _run(self, uri: str, gap: Gap) -> None:
        try:
            await self._sleep(READING_S)
            answer = await self._fill(uri, gap)
            if answer is not None and answer.text:
                self._on_filled(uri, gap, answer)
        except Exception:
            # Nobody asked, so nobody is told: the next request meets the same failure and says so.
            return
        finally:
            running = self._running.get(uri)
            if running is not None and running.task is asyncio.current_task():
                del self._running[uri]
