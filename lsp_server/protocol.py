"""pygls with its gaps closed: the protocol and server classes that the handlers run on.

Documents are mirrored by documents.py alone; a malformed, early or late request is answered; no
error message carries text of a user's. Knows nothing of what any handler does.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol

from lsp_server.messages import OWN_MESSAGES, make_converter
from lsp_server.rewrite.rewriting import Rewriting

if TYPE_CHECKING:
    from cattrs import Converter

    from lsp_server.session import Session

INFILL_STATUS = "infill/status"
"""Custom notification to the client: {state, message, percent}; asked for, the same.

`percent` is how much of the model is loaded while the state is "starting", else null."""

_ALWAYS_ALLOWED = (types.INITIALIZE, types.EXIT)
_NOT_INITIALIZED = types.ResponseError(
    code=int(types.ErrorCodes.ServerNotInitialized),
    message="The server waits for `initialize` first.",
)
_SHUT_DOWN = types.ResponseError(
    code=int(types.ErrorCodes.InvalidRequest),
    message="The server has been shut down; only `exit` may follow.",
)


class InfillProtocol(LanguageServerProtocol):
    """pygls' protocol with three changes, see the module's docstring."""

    def __init__(self, server: "InfillServer", converter: "Converter") -> None:
        super().__init__(server, converter)
        self._infill_server = server
        # pygls' own mirror splits lines where LSP does not, and every edit would be paid for twice.
        for method in (
            types.TEXT_DOCUMENT_DID_OPEN,
            types.TEXT_DOCUMENT_DID_CHANGE,
            types.TEXT_DOCUMENT_DID_CLOSE,
        ):
            self.fm.builtin_features.pop(method, None)

    def get_message_type(self, method: str) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The type of a whole message; ours for what lsprotocol lacks."""
        return OWN_MESSAGES.get(method) or super().get_message_type(method)

    def handle_message(self, message: Any) -> None:
        """Refuse what comes before `initialize` or after `shutdown`; pygls fails or is silent."""
        method, request_id = getattr(message, "method", ""), getattr(message, "id", None)
        is_early = not self._infill_server.is_initialized and method not in _ALWAYS_ALLOWED
        is_late = self._shutdown and method != types.EXIT
        if method and (is_early or is_late):
            if request_id is not None:
                error = _NOT_INITIALIZED if is_early else _SHUT_DOWN
                self._send_response(request_id, error=error)
            return
        super().handle_message(message)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Turn JSON into LSP's types, answering a request that can not be: pygls forgets it."""
        if str(data.get("method")).startswith("infill/"):
            data.setdefault("params", None)  # may be left out, which pygls forgets as well
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise


class InfillServer(LanguageServer):
    """The server object every handler gets first.

    Attributes:
        rewriting: rewrites of selections.
        offers_completions: whether the client has been told to ask for completions.
    """

    def __init__(
        self,
        version: str,
        converter_factory: "Callable[[], Converter]" = make_converter,
    ) -> None:
        super().__init__(
            "infill-ls",
            version,
            protocol_cls=InfillProtocol,
            converter_factory=converter_factory,
        )
        self.rewriting = Rewriting(self)
        self.offers_completions = False
        self._make_session: Callable[[], Session] | None = None
        self._session: Session | None = None

    @property
    def is_initialized(self) -> bool:
        """Whether the client has said who it is."""
        return self._make_session is not None

    @property
    def session(self) -> "Session":
        """State of the connection, made when it is first asked for; see `open_session`."""
        if self._session is None:
            assert self._make_session is not None, "messages before `initialize` are refused"
            self._session = self._make_session()
        return self._session

    def open_session(self, make: "Callable[[], Session]") -> None:
        """Take what makes the session, which is done as soon as `initialize` is answered.

        Not before: the classes of the settings take 0.1 s to import, which nobody need wait for.
        """
        self._make_session = make
        asyncio.get_running_loop().call_soon(lambda: self.session)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Tell the client that a message failed, by the kind of error: its text may hold code."""
        self.log(types.MessageType.Error, f"A message could not be handled: {_kind_of(error)}.")

    def log(self, message_type: types.MessageType, message: str) -> None:
        """Write one line to the client's log."""
        self.window_log_message(types.LogMessageParams(type=message_type, message=message))

    def workspace_folder_uris(self) -> tuple[str, ...]:
        """The URIs of the open folders; pygls keeps them up to date."""
        root_uri = self.workspace.root_uri
        return tuple(self.workspace.folders) or ((root_uri,) if root_uri else ())

    def notify_status(self, state: str, message: str, percent: int | None = None) -> None:
        """Send `infill/status`, and the same words to the client's log."""
        self.protocol.notify(
            INFILL_STATUS, {"state": state, "message": message, "percent": percent}
        )
        self.log(types.MessageType.Info, message)


def _kind_of(error: Exception) -> str:
    cause = error.__cause__ or error
    return type(cause).__name__
