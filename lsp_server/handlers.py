"""What the server does for each LSP method, one function per method, in the order of server.py.

The recipe that everything else here serves is completing.py. Each early return has a reason.
Knows nothing of the transport, of HTTP or of models.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidRequest

from infill_engine.api import InfillUpdate
from lsp_server.client_configuration import how_to_ask, watch_settings
from lsp_server.completing import complete
from lsp_server.completion_fallback import (
    as_inline,
    completion_list,
    must_offer_at_once,
    offer_completions,
    word_before,
)
from lsp_server.documents import OpenDocument
from lsp_server.from_lsp import edits_from_changes
from lsp_server.infill_link import connect_with
from lsp_server.log_level import set_up_logging
from lsp_server.messages import InlineCompletionParams, StreamParams
from lsp_server.parent_watch import is_running
from lsp_server.positions import PositionEncoding
from lsp_server.protocol import InfillServer
from lsp_server.rewrite.action import rewrite_actions
from lsp_server.rewrite.order import RewriteRefused, read_order
from lsp_server.speaking.outcomes import Answer
from lsp_server.speaking.reasons import Withheld
from lsp_server.speaking.request_log import RequestLog, request_log_file
from lsp_server.streaming import PartialResults, UpdateStream, work_done
from lsp_server.suggestion import OnUpdate
from lsp_server.to_lsp import completions_of, inline_completions, replaces_from_line_start

if TYPE_CHECKING:
    from lsp_server.session import Session

logger = logging.getLogger(__name__)


def initialize(server: InfillServer, params: types.InitializeParams) -> None:
    """Have the session set up from what the client says of itself, once it has its answer."""
    if must_offer_at_once(params):
        server.feature(types.TEXT_DOCUMENT_COMPLETION)(completion)
    # An editor may leave out its id, or name one that means nothing in this container.
    editor_id = params.process_id
    watched_id = editor_id if editor_id is not None and is_running(editor_id) else None
    server.open_session(lambda: _new_session(server, params, watched_id))


async def initialized(server: InfillServer, params: types.InitializedParams) -> None:
    """Start the engine now, so that it is ready when the user begins to type.

    First the client is asked for its settings, which may name another engine.
    """
    watch_settings(server)
    await server.session.sources.refresh()
    await server.session.update_settings()
    server.session.start_engine()
    _follow_settings(server)


async def shutdown(server: InfillServer, params: None) -> None:
    """Let go of the engine."""
    await server.session.close()


def did_open(server: InfillServer, params: types.DidOpenTextDocumentParams) -> None:
    """Begin to mirror a document."""
    opened = params.text_document
    document = OpenDocument(opened.uri, opened.language_id, opened.version, opened.text)
    server.session.documents.open(document)
    if server.session.recording is not None:
        server.session.recording.opened(
            document.uri, opened.language_id, opened.version, opened.text
        )
    server.session.idle_parsing.touch(document)


def did_change(server: InfillServer, params: types.DidChangeTextDocumentParams) -> None:
    """Bring the mirror up to date."""
    document = server.session.documents.get(params.text_document.uri)
    if document is None:
        logger.info("didChange for a document that is not open")
        return
    session, uri = server.session, document.uri
    edits = edits_from_changes(params.content_changes)
    if session.recording is not None:
        session.recording.changed(uri, params.text_document.version, edits)
    for edit in edits:
        num_before = document.num_chars
        if isinstance(edit, str):
            document.replace_all(edit)
            session.snippets.recent.forget(uri)
        else:
            session.snippets.recent.note_edit(document, document.apply(edit, session.encoding))
            num_removed = num_before + len(edit.new_text) - document.num_chars
            session.speaker.on_edit(uri, num_removed, edit.new_text)
    document.version = params.text_document.version
    session.idle_parsing.touch(document)


def did_close(server: InfillServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document and end its request."""
    if server.session.recording is not None:
        server.session.recording.closed(params.text_document.uri)
    server.session.forget(params.text_document.uri)


async def did_change_configuration(
    server: InfillServer, params: types.DidChangeConfigurationParams
) -> None:
    """Take over changed settings; what is not mentioned stays, and the client is asked anew."""
    server.session.sources.push(params.settings)
    await server.session.sources.refresh()
    await server.session.update_settings()
    _follow_settings(server)


async def did_change_watched_files(
    server: InfillServer, params: types.DidChangeWatchedFilesParams
) -> None:
    """Read the projects' settings again: `watch_settings` asks for no other files."""
    server.session.sources.look_again()
    await server.session.update_settings()


async def inline_completion(
    server: InfillServer, params: InlineCompletionParams
) -> list[types.InlineCompletionItem] | None:
    """Answer with the text for the gap at the cursor, or with null; see completing.py.

    A client that gives a `partialResultToken` is told what has settled on the way, one that gives
    a `workDoneToken` how far it is.
    """
    notify, token = server.protocol.notify, params.partial_result_token
    line_start = server.session.line_start(params.text_document.uri, params.position)

    def items(text: str) -> list[types.InlineCompletionItem] | None:
        return inline_completions(text, params.position, line_start=line_start)

    with work_done(notify, params.work_done_token) as on_step:
        parts = None if token is None else PartialResults(notify, token, items)
        listeners = [on_step, parts and parts.show]

        def tell(update: InfillUpdate, stable: str) -> None:
            for listener in filter(None, listeners):
                listener(update, stable)

        follow: OnUpdate | None = tell if any(listeners) else None
        return completions_of(await complete(server, params, follow), params, line_start)


async def completion(
    server: InfillServer, params: types.CompletionParams
) -> types.CompletionList | None:
    """Answer with the same text as an item of the completion menu, where that is wished."""
    session, uri = server.session, params.text_document.uri
    settings, document = await session.settings_for(uri), session.documents.get(uri)
    if not settings.completion_fallback or document is None:
        return None
    typed = word_before(document, params.position, session.encoding)
    answer = await complete(server, as_inline(params))
    return completion_list(answer, params, typed, session.encoding)


async def stream(
    server: InfillServer, params: StreamParams
) -> list[types.InlineCompletionItem] | None:
    """Answer as `inline_completion` does, and tell the text after every denoising step."""
    uri = params.text_document.uri
    line_start = server.session.line_start(uri, params.position)
    document = server.session.documents.get(uri)
    version = None if document is None else document.version
    updates = UpdateStream(server.protocol.notify, params.token, version, server.session.encoding)
    answer: Answer | Withheld = Withheld.because("cancelled")
    try:
        answer = await complete(server, params, updates.show)
    finally:
        if isinstance(answer, Answer):
            updates.end(answer.text)
        else:
            updates.end("", answer)
    return completions_of(answer, params, line_start)


def did_accept(server: InfillServer, *arguments: object) -> None:
    """Note that a suggestion was accepted; the editor runs this as the item's command."""
    if len(arguments) == 2 and isinstance(arguments[0], str) and isinstance(arguments[1], int):
        server.session.speaker.on_accept(arguments[0], arguments[1])


def did_show(server: InfillServer, params: object) -> None:
    """Note that a suggestion was shown: from now on this editor's word counts."""
    speaker = server.session.speaker
    speaker.client_tells_shown = True
    speaker.on_shown()


def did_partially_accept(server: InfillServer, params: object) -> None:
    """Note that a part of a suggestion was accepted."""
    given = params if isinstance(params, Mapping) else {}
    uri, length = given.get("uri"), given.get("acceptedLength")
    if isinstance(uri, str) and isinstance(length, int):
        server.session.speaker.on_accept(uri, length, is_whole=False)


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


def status(server: InfillServer, params: object) -> dict[str, Any]:
    """Answer `infill/status` with the engine's state, for an editor that asks."""
    return asdict(server.session.engine.status)


def _new_session(
    server: InfillServer, params: types.InitializeParams, watched_id: int | None
) -> "Session":
    from lsp_server.session import Session
    from lsp_server.settings import SettingsSources

    sources = SettingsSources(
        params.initialization_options,
        server.workspace_folder_uris,
        lambda problems: _report_problems(server, problems),
        how_to_ask(server),
    )
    encoding = server.workspace.position_encoding or types.PositionEncodingKind.Utf16
    session = Session(
        sources=sources,
        encoding=cast(PositionEncoding, str(getattr(encoding, "value", encoding))),
        make_connect=connect_with,
        notify=server.notify_status,
        folder_uris=server.workspace_folder_uris,
        log=RequestLog(request_log_file()).write,
        replaces_from_line_start=replaces_from_line_start(params.client_info),
    )
    if watched_id is not None:
        session.end_with(watched_id)
    return session


def _follow_settings(server: InfillServer) -> None:
    """Do what settings ask for beyond answering requests otherwise."""
    settings = server.session.settings
    set_up_logging(settings.log_level)
    server.session.record_to(settings.record)
    if settings.completion_fallback:
        if types.TEXT_DOCUMENT_COMPLETION not in server.protocol.fm.features:
            server.feature(types.TEXT_DOCUMENT_COMPLETION)(completion)
        offer_completions(server)


def _report_problems(server: InfillServer, problems: tuple[str, ...]) -> None:
    for problem in problems:
        server.window_show_message(
            types.ShowMessageParams(type=types.MessageType.Warning, message=f"infill-ls: {problem}")
        )
