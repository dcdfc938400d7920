"""Shows a rewrite while it converges: work-done progress for every client, previews for plugins.

Knows nothing of how the text comes about.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from infill_engine.api import InfillUpdate
from lsp_server.positions import PositionEncoding, count_units
from lsp_server.rewrite.order import RewriteOrder

if TYPE_CHECKING:
    from lsp_server.protocol import InfillServer

REWRITE_PREVIEW = "infill/rewritePreview"
"""Custom notification: {uri, version, range, sequence, text, settledLength, done}."""


class Preview:
    """One rewrite as its user sees it."""

    def __init__(
        self,
        server: "InfillServer",
        order: RewriteOrder,
        version: int,
        encoding: PositionEncoding,
        token: types.ProgressToken,
    ) -> None:
        self._server, self._order, self._version = server, order, version
        self._encoding: PositionEncoding = encoding
        self._token = token
        self._sequence = 0
        self._has_progress = False

    async def begin(self, on_cancel: Callable[[], None]) -> None:
        """Start the progress, if the client shows such; `on_cancel` is called when it is ended."""
        capabilities = self._server.client_capabilities.window
        if capabilities is None or not capabilities.work_done_progress:
            return
        progress = self._server.work_done_progress
        try:
            await asyncio.wait_for(progress.create_async(self._token), timeout=2.0)
        except Exception:
            return  # a client that refuses or never answers does without
        loop = asyncio.get_running_loop()
        ended: Future[Any] = progress.tokens[self._token]
        ended.add_done_callback(
            lambda f: loop.call_soon_threadsafe(on_cancel) if f.cancelled() else None
        )
        self._has_progress = True
        progress.begin(
            self._token,
            types.WorkDoneProgressBegin(
                title="Rewriting the selection", cancellable=True, percentage=0
            ),
        )

    def show(self, update: InfillUpdate) -> None:
        """Show the text as it stands after a step."""
        settled = update.text[: update.settled_chars]
        self._notify(update.text, count_units(settled, self._encoding), is_done=False)
        if self._has_progress:
            share = len(settled) / max(1, len(update.text))
            self._server.work_done_progress.report(
                self._token,
                types.WorkDoneProgressReport(
                    message=f"step {update.step_idx + 1}", percentage=int(99 * share)
                ),
            )

    def end(self, text: str, message: str) -> None:
        """Show how it ended: with `text`, empty for nothing, and a word on why."""
        self._notify(text, count_units(text, self._encoding), is_done=True)
        if self._has_progress:
            self._has_progress = False
            with contextlib.suppress(Exception):
                self._server.work_done_progress.end(
                    self._token, types.WorkDoneProgressEnd(message=message)
                )
            self._server.work_done_progress.tokens.pop(self._token, None)

    def _notify(self, text: str, settled_length: int, is_done: bool) -> None:
        start, end = self._order.range.start, self._order.range.end
        self._server.protocol.notify(
            REWRITE_PREVIEW,
            {
                "uri": self._order.uri,
                "version": self._version,
                "range": {
                    "start": {"line": start.line, "character": start.character},
                    "end": {"line": end.line, "character": end.character},
                },
                "sequence": self._sequence,
                "text": text,
                "settledLength": settled_length,
                "done": is_done,
            },
        )
        self._sequence += 1
