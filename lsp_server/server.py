"""Read first: every LSP method the server answers, on one screen.

Knows nothing of what the methods do; that is handlers.py.
"""

from lsprotocol import types

from infill_engine.version import VERSION
from lsp_server import handlers
from lsp_server.messages import INFILL_DID_PARTIALLY_ACCEPT, INFILL_DID_SHOW, INFILL_STREAM
from lsp_server.protocol import INFILL_STATUS, InfillServer
from lsp_server.rewrite.order import CANCEL_COMMAND, REWRITE_COMMAND
from lsp_server.to_lsp import ACCEPTED_COMMAND


def create_server() -> InfillServer:
    """Build the server with every method registered, ready to be started on a transport."""
    server = InfillServer(VERSION)
    register = server.feature

    register(types.INITIALIZE)(handlers.initialize)
    register(types.INITIALIZED)(handlers.initialized)
    register(types.SHUTDOWN)(handlers.shutdown)

    register(types.TEXT_DOCUMENT_DID_OPEN)(handlers.did_open)
    register(types.TEXT_DOCUMENT_DID_CHANGE)(handlers.did_change)
    register(types.TEXT_DOCUMENT_DID_CLOSE)(handlers.did_close)
    register(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(handlers.did_change_configuration)
    register(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(handlers.did_change_watched_files)

    # Without options pygls advertises nothing.
    register(
        types.TEXT_DOCUMENT_INLINE_COMPLETION,
        types.InlineCompletionOptions(work_done_progress=True),
    )(handlers.inline_completion)
    register(INFILL_STREAM)(handlers.stream)
    register(INFILL_DID_SHOW)(handlers.did_show)
    register(INFILL_DID_PARTIALLY_ACCEPT)(handlers.did_partially_accept)
    register(INFILL_STATUS)(handlers.status)

    register(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.RefactorRewrite]),
    )(handlers.code_action)
    server.command(ACCEPTED_COMMAND)(handlers.did_accept)
    server.command(REWRITE_COMMAND)(handlers.rewrite_selection)
    server.command(CANCEL_COMMAND)(handlers.cancel_rewrite)
    return server
