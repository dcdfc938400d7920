"""What the server does for each LSP method, one function per method, in the order of server.py.

`inline_completion` is the recipe that everything else here serves. Each early return has a reason.
Knows nothing of the transport, of HTTP or of models.
"""

import logging
from typing import cast

from lsprotocol import types

from infill_engine.api import InfillError
from lsp_server.client_configuration import how_to_ask, watch_settings
from lsp_server.documents import OpenDocument
from lsp_server.engine_connection import EngineStatus
from lsp_server.from_lsp import build_request, edits_from_changes
from lsp_server.infill_link import connect_with
from lsp_server.positions import PositionEncoding
from lsp_server.protocol import InfillServer
from lsp_server.session import Session
from lsp_server.settings import SettingsSources
from lsp_server.suggestion import suggest
from lsp_server.to_lsp import inline_completions

logger = logging.getLogger(__name__)


def initialize(server: InfillServer, params: types.InitializeParams) -> None:
    """Set up the session from what the client says of itself."""
    sources = SettingsSources(
        params.initialization_options,
        lambda: _workspace_folders(server),
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
    server: InfillServer, params: types.InlineCompletionParams
) -> list[types.InlineCompletionItem] | None:
    """Answer with the text for the gap at the cursor, or with null.

    Null also answers a request that a newer one superseded, one whose document has changed since,
    and every failure: an error would be shown to the user on each keystroke. A request that the
    client cancelled is answered by pygls with -32800.

    1. Find the document, and whether anything may be suggested there.
    2. Turn document and position into a request.
    3. Ask the engine, as the document's newest request.
    4. Drop the answer if the document has moved on.
    5. Turn the text into an inline completion.
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
            _workspace_folders(server),
        )
        # 3. Ask the engine, as the document's newest request.
        middle = await session.queue.run(uri, lambda: suggest(session.engine, request))
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
    # 5. Turn the text into an inline completion.
    return inline_completions(middle, params.position)


def status(server: InfillServer, params: object) -> dict[str, str]:
    """Answer `infill/status` with the engine's state, for an editor that asks."""
    current: EngineStatus = server.session.engine.status
    return {"state": current.state, "message": current.message}


def _workspace_folders(server: InfillServer) -> tuple[str, ...]:
    """Return the URIs of the open folders; pygls keeps them up to date."""
    root_uri = server.workspace.root_uri
    return tuple(server.workspace.folders) or ((root_uri,) if root_uri else ())


def _report_problems(server: InfillServer, problems: tuple[str, ...]) -> None:
    for problem in problems:
        server.window_show_message(
            types.ShowMessageParams(type=types.MessageType.Warning, message=f"infill-ls: {problem}")
        )


def _no_suggestion(reason: str) -> None:
    logger.info("no suggestion: %s", reason)
