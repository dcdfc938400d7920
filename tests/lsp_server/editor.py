"""An editor for tests: drives a language server's process over stdio."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any

from lsprotocol import types
from pytest_lsp import LanguageClient, make_test_lsp_client

from .fake_engine import TOKEN, FakeEngine

SERVER_COMMAND = (sys.executable, "-m", "lsp_server", "--log-level", "info")
URI = "file:///project/src/a.py"
GIVE_UP_S = 60.0
"""Not what is asserted: what keeps a failing test from hanging."""


PLAIN = {
    "reuseTyped": False,
    "speculate": False,
    "inStrings": True,
    "afterDeletion": True,
    "debounce": {"maxMs": 0},
}
"""Settings under which every request is put to the engine, and at once."""


def options_for(engine: FakeEngine, **settings: Any) -> dict[str, Any]:
    """Initialization options that name an engine."""
    return {"engine": {"url": engine.url, "token": TOKEN}, **settings}


class Editor:
    """One editor with one server.

    Attributes:
        client: the LSP client.
        statuses: every `infill/status` notification, in order.
        capabilities: the server's.
    """

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.statuses: list[dict[str, str]] = []
        self.capabilities: types.ServerCapabilities
        self._versions: dict[str, int] = {}
        self._asked: dict[asyncio.Future[Any], str] = {}
        self._num_raw = 0

        @client.feature("infill/status")
        def on_status(params: Any) -> None:
            self.statuses.append({"state": params.state, "message": params.message})

    def open(self, text: str, uri: str = URI, language_id: str = "python") -> None:
        self._versions[uri] = 1
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language_id, 1, text))
        )

    def type(self, text: str, line: int, character: int, uri: str = URI) -> None:
        """Insert `text`, as an incremental change."""
        self._versions[uri] += 1
        position = types.Position(line, character)
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self._versions[uri], uri),
                [
                    types.TextDocumentContentChangePartial(
                        range=types.Range(position, position), text=text
                    )
                ],
            )
        )

    def take_back(self, line: int, start: int, end: int, uri: str = URI) -> None:
        """Delete characters of a line, as an incremental change."""
        self._versions[uri] += 1
        where = types.Range(types.Position(line, start), types.Position(line, end))
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self._versions[uri], uri),
                [types.TextDocumentContentChangePartial(range=where, text="")],
            )
        )

    def ask(
        self,
        line: int,
        character: int,
        uri: str = URI,
        trigger: types.InlineCompletionTriggerKind = types.InlineCompletionTriggerKind.Automatic,
    ) -> "asyncio.Future[Any]":
        """Send an inline completion request; the future has an `id` to cancel it by."""
        params = types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(uri),
            position=types.Position(line, character),
            context=types.InlineCompletionContext(trigger_kind=trigger),
        )
        request_id = f"ask-{len(self._asked)}"
        # Not send_request_async: that sends when awaited, which may be after a cancellation.
        answer = self.client.protocol.send_request(
            types.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id=request_id
        )
        task = asyncio.ensure_future(asyncio.wait_for(asyncio.wrap_future(answer), GIVE_UP_S))
        self._asked[task] = request_id
        return task

    async def send_raw(self, method: str, params: Any) -> Any:
        """Send a request as it is, valid or not, and return its result."""
        protocol = self.client.protocol
        self._num_raw += 1
        request_id = f"raw-{self._num_raw}"
        answer: Future[Any] = Future()
        protocol._request_futures[request_id] = answer
        protocol._send_data(
            {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        )
        async with asyncio.timeout(GIVE_UP_S):
            return await asyncio.wrap_future(answer)

    def cancel(self, asked: "asyncio.Future[Any]") -> None:
        """Tell the server that the request is of no use any more."""
        self.client.cancel_request(types.CancelParams(self._asked[asked]))

    async def texts(self, line: int, character: int, uri: str = URI) -> list[str] | None:
        """Ask, and return the texts offered; None when null was answered."""
        items = await self.ask(line, character, uri)
        return None if items is None else [item.insert_text for item in items]

    async def wait_for_status(self, state: str, after: int = 0) -> dict[str, str]:
        """Return the first status with that state, of those from the index `after` on."""
        try:
            await wait_until(lambda: any(s["state"] == state for s in self.statuses[after:]))
        except TimeoutError:
            raise AssertionError(f"never {state!r}, but {self.statuses[after:]}") from None
        return next(s for s in self.statuses[after:] if s["state"] == state)


async def wait_until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds."""
    async with asyncio.timeout(GIVE_UP_S):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running_editor(
    options: Any = None,
    encodings: Sequence[types.PositionEncodingKind] | None = None,
    command: Sequence[str] = SERVER_COMMAND,
    env: dict[str, str] | None = None,
    root_uri: str = "file:///project",
    workspace: types.WorkspaceClientCapabilities | None = None,
    prepare: Callable[[Editor], None] = lambda editor: None,
    text_document: types.TextDocumentClientCapabilities | None = None,
    client_name: str = "",
) -> AsyncIterator[Editor]:
    """An editor whose server is initialized, and shut down in good order afterwards."""
    client = make_test_lsp_client()
    editor = Editor(client)
    prepare(editor)
    await client.start_io(*command, env={**os.environ, **(env or {})})
    result = await client.initialize_session(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(
                general=types.GeneralClientCapabilities(position_encodings=encodings),
                workspace=workspace,
                text_document=text_document,
            ),
            initialization_options=options,
            client_info=types.ClientInfo(client_name) if client_name else None,
            workspace_folders=[types.WorkspaceFolder(root_uri, "project")],
        )
    )
    editor.capabilities = result.capabilities
    try:
        yield editor
    finally:
        async with asyncio.timeout(GIVE_UP_S):
            await client.shutdown_session()
            await client.stop()
