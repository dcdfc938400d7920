"""A language server's process and the editor on its other side, for measuring.

Types into one document, asks after each keystroke as an editor does, and cancels what a newer
keystroke has made worthless. Knows nothing of what is measured.
"""

import asyncio
import gc
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.client import LanguageClient

_URI = "file:///benchmark/typed.py"


@dataclass
class Asked:
    """One request: when it was sent, and when and how it ended."""

    sent_s: float
    ended_s: float = 0.0
    text: str = ""
    is_cancelled: bool = False


@dataclass
class MeasuringEditor:
    """One document in one editor.

    Attributes:
        asked: every request so far, in order.
        statuses: what the server told of itself.
    """

    client: LanguageClient = field(default_factory=lambda: LanguageClient("benchmark", "1"))
    asked: list[Asked] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)

    async def start(self, options: dict[str, Any]) -> float:
        """Start the server; returns the seconds until it has answered `initialize`."""

        @self.client.feature("infill/status")
        def on_status(params: Any) -> None:
            self.statuses.append(params.state)

        gc.collect()
        gc.freeze()  # a collection in this process must not count as the server's time
        begin_s = time.perf_counter()
        await self.client.start_io(sys.executable, "-m", "lsp_server")
        await self.client.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(), initialization_options=options
            )
        )
        taken_s = time.perf_counter() - begin_s
        self.client.initialized(types.InitializedParams())
        return taken_s

    async def wait_until_ready(self) -> None:
        """Return once the server has an engine."""
        while "ready" not in self.statuses:
            await asyncio.sleep(0.02)

    def open(self, text: str) -> None:
        """Open the document."""
        self._version = 1
        self._current: asyncio.Task[None] | None = None
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(
                types.TextDocumentItem(_URI, "python", self._version, text)
            )
        )

    def type(self, text: str, line: int, utf16_col: int) -> None:
        """Insert `text`, or delete the character before the position where it is empty."""
        self._version += 1
        end = types.Position(line, utf16_col)
        start = end if text else types.Position(line, utf16_col - 1)
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self._version, _URI),
                [types.TextDocumentContentChangePartial(range=types.Range(start, end), text=text)],
            )
        )

    def ask(self, line: int, utf16_col: int) -> Asked:
        """Ask for a suggestion; what is still asked is cancelled first."""
        if self._current is not None and not self._current.done():
            self._cancel()
        asked = Asked(time.perf_counter())
        self.asked.append(asked)
        self._id = f"ask-{len(self.asked)}"
        self._current = asyncio.ensure_future(self._wait_for(asked, line, utf16_col))
        return asked

    async def settle(self) -> None:
        """Return when nothing is asked any more."""
        if self._current is not None:
            await self._current

    async def close(self) -> None:
        """End the server in good order."""
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()

    def _cancel(self) -> None:
        self.asked[-1].is_cancelled = True
        self.client.cancel_request(types.CancelParams(self._id))

    async def _wait_for(self, asked: Asked, line: int, utf16_col: int) -> None:
        params = types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(_URI),
            position=types.Position(line, utf16_col),
            context=types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
        )
        answer = self.client.protocol.send_request(
            types.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id=self._id
        )
        try:
            items = await asyncio.wrap_future(answer)
        except JsonRpcException:
            items = None  # cancelled
        asked.ended_s = time.perf_counter()
        asked.text = items[0].insert_text if items else ""
