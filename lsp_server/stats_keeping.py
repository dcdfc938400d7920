"""Brings what a session has counted to the file that all editors share, now and then.

Knows nothing of what is counted.
"""

import asyncio
from collections.abc import Callable

from lsp_server.speaking.stats import Stats

EVERY_S = 30.0


class StatsKeeping:
    """Takes the counters every `EVERY_S`; what could not be written waits for the next time."""

    def __init__(self, take: Callable[[], Stats]) -> None:
        self._take = take
        self._waiting = Stats()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; does nothing when it has begun."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    def close(self) -> None:
        """Write once more and end."""
        if self._task is not None:
            self._task.cancel()
        self._write()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self._write()

    def _write(self) -> None:
        # Imported late: the answer to `initialize` need not wait for it.
        from lsp_server.speaking.stats_file import add_to_stats, stats_file

        self._waiting.add(self._take())
        if not self._waiting.is_empty and add_to_stats(stats_file(), self._waiting):
            self._waiting = Stats()
