"""What the server does for each LSP method, one function per method, in the order of server.py.

`_complete` is the recipe that everything else here serves. Each early return has a reason.
Knows nothing of the transport, of HTTP or of models.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidRequest

from infill_engine.api import InfillError, InfillRequest
from lsp_server.client_configuration import how_to_ask, watch_settings
from lsp_server.documents import OpenDocument
from lsp_server.engine_connection import EngineStatus
from lsp_server.from_lsp import build_request, edits_from_changes
from lsp_server.infill_link import connect_with
from lsp_server.messages import InlineCompletionParams, StreamParams
from lsp_server.positions import PositionEncoding
from lsp_server.protocol import InfillServer
from lsp_server.rewrite.action import rewrite_actions
from lsp_server.rewrite.order import RewriteRefused, read_order
from lsp_server.session import Session
from lsp_server.settings import SettingsSources
from lsp_server.streaming import PartialResults, UpdateStream
from lsp_server.suggestion import OnUpdate, clean, suggest
from lsp_server.to_lsp import inline_completions

logger = logging.getLogger(__name__)

Follow = Callable[[InfillRequest, int], OnUpdate | None]
"""Called with the request and the document's version before the engine is asked.

Returns who is told of every step."""


def initialize(server: InfillServer, params: types.InitializeParams) -> None:
    """Set up the session from what the client says of itself."""
    sources = SettingsSources(
        params.initialization_options,
        server.workspace_folder_uris,
        lambda problems: _report_problems(server, problems),
        how_to_ask(server),
    )
    encoding = server.workspace.position_encoding or types.PositionEncodingKind.Utf16
    server.session = Session(
        sources=sources,
        encoding=cast(PositionEncoding, str(getattr(encoding, "value", encoding))),
        make_connect=connect_with,
        notify=server.notify_status,
    )
    server.session.end_with_parent(params.process_id)


async def initialized(server: InfillServer, params: types.InitializedParams) -> None:
    """Start the engine now, so that it is ready when the user begins to type.

    First the client is asked for its settings, which may name another engine.
    """
    watch_settings(server)
    await server.session.sources.refresh()
    await server.session.update_settings()
    server.session.start_engine()


async def shutdown(server: InfillServer, params: None) -> None:
    """Let go of the engine."""
    await server.session.close()


def did_open(server: InfillServer, params: types.DidOpenTextDocumentParams) -> None:
    """Begin to mirror a document."""
    opened = params.text_document
    server.session.documents.open(
        OpenDocument(opened.uri, opened.language_id, opened.version, opened.text)
    )


def did_change(server: InfillServer, params: types.DidChangeTextDocumentParams) -> None:
    """Bring the mirror up to date."""
    document = server.session.documents.get(params.text_document.uri)
    if document is None:
        logger.info("didChange for a document that is not open")
        return
    for edit in edits_from_changes(params.content_changes):
        if isinstance(edit, str):
            document.replace_all(edit)
        else:
            document.apply(edit, server.session.encoding)
    document.version = params.text_document.version


def did_close(server: InfillServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document and end its request."""
    server.session.forget(params.text_document.uri)


async def did_change_configuration(
    server: InfillServer, params: types.DidChangeConfigurationParams
) -> None:
    """Take over changed settings; what is not mentioned stays, and the client is asked anew."""
    server.session.sources.push(params.settings)
    await server.session.sources.refresh()
    await server.session.update_settings()


async def did_change_watched_files(
    server: InfillServer, params: types.DidChangeWatchedFilesParams
) -> None:
    """Read the projects' settings again: `watch_settings` asks for no other files."""
    server.session.sources.look_again()
    await server.session.update_settings()


async def inline_completion(
    server: InfillServer, params: InlineCompletionParams
) -> list[types.InlineCompletionItem] | None:
    """Answer with the text for the gap at the cursor, or with null; see `_complete`.

    A client that gives a `partialResultToken` is told what has settled on the way.
    """
    token = params.partial_result_token

    def follow(request: InfillRequest, version: int) -> OnUpdate | None:
        if token is None:
            return None
        notify = server.protocol.notify
        return PartialResults(notify, token, params.position, partial(clean, request)).show

    middle = await _complete(server, params, follow)
    return inline_completions(middle, params.position)


async def stream(
    server: InfillServer, params: StreamParams
) -> list[types.InlineCompletionItem] | None:
    """Answer as `inline_completion` does, and tell the text after every denoising step."""
    updates: UpdateStream | None = None

    def follow(request: InfillRequest, version: int) -> OnUpdate:
        nonlocal updates
        encoding = server.session.encoding
        updates = UpdateStream(server.protocol.notify, params.token, version, encoding)
        return updates.show

    middle = ""
    try:
        middle = await _complete(server, params, follow)
    finally:
        if updates is not None:
            updates.end(middle)
    return inline_completions(middle, params.position)


async def _complete(
    server: InfillServer, params: types.InlineCompletionParams, follow: Follow
) -> str:
    """The text for the gap at the cursor, "" for none.

    None also for a request that a newer one superseded, one whose document has changed since,
    and every failure: an error would be shown to the user on each keystroke. A request that the
    client cancelled is answered by pygls with -32800.

    1. Find the document, and whether anything may be suggested there.
    2. Turn document and position into a request.
    3. Ask the engine, as the document's newest request.
    4. Drop the answer if the document has moved on.
    """
    session = server.session
    uri = params.text_document.uri
    # 1. Find the document, and whether anything may be suggested there.
    document = session.documents.get(uri)
    if document is None:
        return _no_suggestion("the document is not open")
    version = document.version
    settings = await session.settings_for(uri)
    if session.documents.get(uri) is not document or document.version != version:
        return _no_suggestion("the document has changed")
    reason = session.why_withheld(document, settings)
    if reason is not None:
        session.tell_withheld(uri, reason)
        return _no_suggestion("withheld")
    if params.context.selected_completion_info is not None:
        return _no_suggestion("the client's completion menu has an item selected")
    try:
        # 2. Turn document and position into a request.
        request = build_request(
            document,
            params.position,
            params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked,
            session.encoding,
            settings,
            server.workspace_folder_uris(),
        )
        on_update = follow(request, version)
        # 3. Ask the engine, as the document's newest request.
        middle = await session.queue.run(uri, lambda: suggest(session.engine, request, on_update))
    except InfillError as error:
        return _no_suggestion(error.code)
    except Exception as error:
        server.log(types.MessageType.Error, f"A suggestion failed: {type(error).__name__}.")
        return _no_suggestion("a bug")
    # 4. Drop the answer if the document has moved on.
    if middle is None:
        return _no_suggestion("superseded")
    if session.documents.get(uri) is not document or document.version != version:
        return _no_suggestion("the document has changed")
    return middle


async def rewrite_selection(server: InfillServer, *arguments: object) -> dict[str, Any]:
    """Rewrite a selection and hand the edit to the client; see rewrite/.

    Raises:
        JsonRpcInvalidRequest: it cannot be done; the message says why and what to do.
    """
    try:
        return await server.rewriting.run(read_order(arguments))
    except RewriteRefused as refused:
        raise JsonRpcInvalidRequest(str(refused)) from None


def cancel_rewrite(server: InfillServer, *arguments: object) -> None:
    """End the rewrite of the document whose URI is given."""
    if len(arguments) == 1 and isinstance(arguments[0], str):
        server.rewriting.cancel(arguments[0])


async def code_action(
    server: InfillServer, params: types.CodeActionParams
) -> list[types.CodeAction] | None:
    """Offer to rewrite what is selected."""
    session, uri = server.session, params.text_document.uri
    document = session.documents.get(uri)
    if document is None:
        return None
    if session.why_withheld(document, await session.settings_for(uri)) is not None:
        return None
    return rewrite_actions(params, document.version)


def status(server: InfillServer, params: object) -> dict[str, str]:
    """Answer `infill/status` with the engine's state, for an editor that asks."""
    current: EngineStatus = server.session.engine.status
    return {"state": current.state, "message": current.message}


def _report_problems(server: InfillServer, problems: tuple[str, ...]) -> None:
    for problem in problems:
        server.window_show_message(
            types.ShowMessageParams(type=types.MessageType.Warning, message=f"infill-ls: {problem}")
        )


def _no_suggestion(reason: str) -> str:
    logger.info("no suggestion: %s", reason)
    return ""
