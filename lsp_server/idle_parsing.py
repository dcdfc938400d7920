"""Brings the trees of large documents up to date while nobody types, in small slices.

A request may spend 2 ms on a tree; in a file of 100,000 lines the first parse takes half a second.
So the rest is done between keystrokes, on the event loop, which stays free in between. Knows
nothing of what trees are for.
"""

import asyncio

from lsp_server.documents import OpenDocument

QUIET_S = 0.05
"""Without an edit for so long, someone is taken to pause."""
_PAUSE_S = 0.004  # between slices, for everything else on the event loop


class IdleParsing:
    """The parsing that goes on in the background.

    Use from one event loop only.
    """

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        self._quiet_s = quiet_s
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def touch(self, document: OpenDocument) -> None:
        """Parse `document` once it has been quiet; to be called when it is opened or edited."""
        self.forget(document.uri)
        if document.is_binary or not document.syntax.has_grammar:
            return
        self._tasks[document.uri] = asyncio.ensure_future(self._parse(document))

    def forget(self, uri: str) -> None:
        """Stop parsing a document, if that is going on."""
        task = self._tasks.pop(uri, None)
        if task is not None:
            task.cancel()

    async def wait_until_done(self) -> None:
        """Return when nothing is left to parse."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    def close(self) -> None:
        """Stop all parsing."""
        for uri in tuple(self._tasks):
            self.forget(uri)

    async def _parse(self, document: OpenDocument) -> None:
        await asyncio.sleep(self._quiet_s)
        while document.syntax.parse(document.lines) is None:
            await asyncio.sleep(_PAUSE_S)
        self._tasks.pop(document.uri, None)
