"""Runs rewrites, one per document at a time: asks the engine, shows previews, ends in one edit.

A rewrite whose document moves on meanwhile is dropped with a word to the user: an edit made for
another text would destroy something. Knows nothing of models.
"""

import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from infill_engine.api import InfillError, InfillRequest, InfillResult, InfillUpdate
from lsp_server.documents import OpenDocument
from lsp_server.from_lsp import relative_path, text_of_range
from lsp_server.postprocess.line_endings import line_ending_of, with_line_ending
from lsp_server.rewrite.order import RewriteOrder, RewriteRefused
from lsp_server.rewrite.preview import Preview

if TYPE_CHECKING:
    from lsp_server.protocol import InfillServer
    from lsp_server.settings import ServerSettings

logger = logging.getLogger(__name__)

_LEAST_TOKENS = 64  # a short selection may become longer
_RETRY_TEMPERATURE = 0.5  # the embedded model writes another text, and still code
_CHARS_PER_TOKEN = 2.0  # of dense code: room rather than a text cut short
_NO_INSTRUCTIONS = (
    "The embedded model follows no instructions: the selection was filled anew between its sides."
)


class Rewriting:
    """The rewrites of one connection."""

    def __init__(self, server: "InfillServer") -> None:
        self._server = server
        self._num_started = 0

    async def run(self, order: RewriteOrder) -> dict[str, Any]:
        """Rewrite a selection; a newer order for the document, or a cancel, ends an older one.

        Returns:
            {applied: true, note}, {applied: false, text, version, note} where the order says not to
            apply, or {applied: false, reason}.

        Raises:
            RewriteRefused: nothing was begun, or the engine cannot do it; the message says why.
        """
        session = self._server.session
        document = session.documents.get(order.uri)
        if document is None:
            raise RewriteRefused("The document is not open in this editor; open it first.")
        if order.version is not None and order.version != document.version:
            raise RewriteRefused(
                f"The selection belongs to version {order.version} of the document, which is at "
                f"{document.version} by now. Select again."
            )
        version = document.version
        settings = await session.settings_for(order.uri)
        if (withheld := session.why_withheld(document, settings)) is not None:
            raise RewriteRefused(withheld.sentence)
        request = self._request(document, order, settings)
        self._num_started += 1
        preview = Preview(
            self._server, order, version, session.encoding, f"infill-rewrite-{self._num_started}"
        )
        key = f"rewrite {order.uri}"
        if order.apply:  # else the plugin that asked shows how it goes
            await preview.begin(lambda: session.queue.supersede(key))
        text, outcome = "", "cancelled"
        try:
            result = await session.queue.run(key, lambda: self._ask(order.uri, request, preview))
            if result is None:
                return {"applied": False, "reason": "cancelled"}
            outcome = self._why_not(document, version, order, request, result.text)
            text = with_line_ending(result.text, line_ending_of(document.lines))
            if not outcome and order.apply:
                outcome = await self._apply(version, order, text)
            if outcome:
                text = ""
                if order.apply:  # else the plugin that asked tells
                    self._tell(outcome)
                return {"applied": False, "reason": outcome}
            outcome = "done"
            follows = session.engine.follows_instructions
            note = _NO_INSTRUCTIONS if order.instruction and not follows else ""
            if order.apply:
                return {"applied": True, "note": note}
            return {"applied": False, "text": text, "version": version, "note": note}
        except InfillError as error:
            outcome = str(error)
            raise RewriteRefused(outcome) from None
        finally:
            preview.end(text, outcome)

    def cancel(self, uri: str) -> None:
        """End the rewrite of a document, if there is one; nothing of it is applied."""
        self._server.session.queue.supersede(f"rewrite {uri}")

    def _request(
        self, document: OpenDocument, order: RewriteOrder, settings: "ServerSettings"
    ) -> InfillRequest:
        session = self._server.session
        prefix, selection, suffix = text_of_range(document, order.range, session.encoding)
        if not selection.strip():
            raise RewriteRefused("The selection is empty: select the code to rewrite.")
        is_chat = session.engine.follows_instructions
        wanted = max(_LEAST_TOKENS, int(len(selection) / _CHARS_PER_TOKEN))
        try:
            return InfillRequest(
                prefix=prefix,
                suffix=suffix,
                language_id=document.language_id,
                path=relative_path(document.uri, self._server.workspace_folder_uris()),
                mode="rewrite",
                selection=selection,
                instruction=order.instruction,
                # A model that fills gaps takes what it is given for right, and would copy it.
                draft=selection if is_chat else "",
                draft_strength=order.strength,
                max_new_tokens=min(wanted, settings.rewrite_max_tokens),
                seed=settings.seed if order.seed is None else order.seed,
                # Where nothing is drawn by chance another seed would write the same.
                temperature=None if order.seed is None or is_chat else _RETRY_TEMPERATURE,
            )
        except InfillError as error:
            raise RewriteRefused(str(error)) from None

    async def _ask(self, uri: str, request: InfillRequest, preview: Preview) -> InfillResult:
        result: InfillResult | None = None
        # Not the document's own name: typing elsewhere in it must not end the rewrite.
        updates = self._server.session.engine.stream(request, f"{uri} rewrite")
        async for update in updates:
            if isinstance(update, InfillUpdate):
                preview.show(update)
            else:
                result = update
        if result is None or result.finish_reason == "cancelled":
            raise RewriteRefused("The engine ended before the text was finished; try again.")
        return result

    def _why_not(
        self,
        document: OpenDocument,
        version: int,
        order: RewriteOrder,
        request: InfillRequest,
        text: str,
    ) -> str:
        """Why the selection is not to be replaced by `text`; "" when it may be."""
        is_open = self._server.session.documents.get(order.uri) is document
        if not is_open or document.version != version:
            return (
                "The document changed while the selection was being rewritten; nothing was "
                "replaced. Select again and repeat."
            )
        if not text.strip():
            return "The model wrote nothing for the selection; it was left as it is."
        if text == request.selection:
            return "The model would leave the selection as it is."
        return ""

    async def _apply(self, version: int, order: RewriteOrder, text: str) -> str:
        """Hand the edit to the client; returns why it was not applied, "" when it was."""
        edit = types.TextDocumentEdit(
            text_document=types.OptionalVersionedTextDocumentIdentifier(order.uri, version),
            edits=[types.TextEdit(order.range, text)],
        )
        answer = await self._server.workspace_apply_edit_async(
            types.ApplyWorkspaceEditParams(
                edit=types.WorkspaceEdit(document_changes=[edit]), label="Rewrite selection"
            )
        )
        if answer.applied:
            return ""
        return answer.failure_reason or "The editor did not take the edit; nothing was replaced."

    def _tell(self, message: str) -> None:
        self._server.window_show_message(
            types.ShowMessageParams(type=types.MessageType.Warning, message=f"infill-ls: {message}")
        )
