"""State of one connection to an editor: settings, open documents, queue and engine.

Decides when nothing may be suggested, and says why. Knows nothing of LSP's methods.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlparse

from lsp_server.documents import DocumentStore, OpenDocument
from lsp_server.engine_connection import Connect, EngineConnection, EngineStatus
from lsp_server.parent_watch import call_when_gone, is_running
from lsp_server.positions import PositionEncoding
from lsp_server.request_queue import RequestQueue
from lsp_server.settings import ServerSettings, SettingsSources

Notify = Callable[[str, str], None]
"""Tells the editor a state and a message for the user."""
MakeConnect = Callable[[ServerSettings], Connect]


class Session:
    """Everything that lives as long as the connection.

    Attributes:
        settings: what counts for the connection; see `settings_for`.
        sources: where settings come from.
        encoding: what positions count, as negotiated.
        documents: the open documents.
        queue: newest request wins, per document.
        engine: the way to the engine.
    """

    def __init__(
        self,
        sources: SettingsSources,
        encoding: PositionEncoding,
        make_connect: MakeConnect,
        notify: Notify,
    ) -> None:
        self.sources = sources
        self.settings = sources.for_connection()
        self.encoding: PositionEncoding = encoding
        self.documents = DocumentStore()
        self.queue = RequestQueue()
        self._make_connect = make_connect
        self._notify = notify
        self._told: set[tuple[str, str]] = set()
        self._parent_watch: asyncio.Task[None] | None = None
        self.engine = self._new_engine()

    def end_with_parent(self, process_id: int | None) -> None:
        """End this process when the editor's is gone.

        An editor may leave out its id, or name one that means nothing in this container.
        """
        if process_id is not None and is_running(process_id):
            # Nothing here needs saving, and stdin may never end: no orderly way out is left.
            self._parent_watch = asyncio.ensure_future(
                call_when_gone(process_id, lambda: os._exit(1))
            )

    def start_engine(self) -> None:
        """Have the engine ready before the first request, unless suggestions are off."""
        if self.settings.enabled:
            self.engine.start()

    async def settings_for(self, uri: str) -> ServerSettings:
        """Return what counts for a document, asking the client where that was not done yet.

        Modifies: settings, engine.
        """
        await self.sources.refresh(uri)
        await self.update_settings()
        return self.sources.for_document(uri)

    async def update_settings(self) -> None:
        """Take the settings as their sources are now; another engine address, another engine.

        Modifies: settings, engine.
        """
        settings = self.sources.for_connection()
        if settings == self.settings:
            return
        old, self.settings = self.settings, settings
        if (old.engine_url, old.engine_token) != (settings.engine_url, settings.engine_token):
            old_engine, self.engine = self.engine, self._new_engine()
            await old_engine.close()
        self.start_engine()

    async def close(self) -> None:
        """Let go of the engine, which may go on for other editors."""
        if self._parent_watch is not None:
            self._parent_watch.cancel()
        self.sources.close()
        await self.engine.close()

    def why_withheld(self, document: OpenDocument, settings: ServerSettings) -> str | None:
        """Say in a sentence why nothing is suggested in `document`; None when something may be."""
        if not settings.enabled:
            return 'Suggestions are switched off by the setting "enabled".'
        if document.language_id in settings.disabled_languages:
            return (
                f'Suggestions are switched off for "{document.language_id}" by the setting '
                '"disabledLanguages".'
            )
        if document.is_binary:
            return f"{_name_of(document.uri)} is a binary file; nothing is suggested there."
        if document.num_chars > settings.max_document_chars:
            return (
                f"{_name_of(document.uri)} has {document.num_chars} characters; suggestions stop "
                f'at {settings.max_document_chars} (setting "maxDocumentChars").'
            )
        return None

    def tell_withheld(self, uri: str, reason: str) -> None:
        """Tell the user once per document and reason that nothing is suggested there."""
        if (uri, reason) not in self._told:
            self._told.add((uri, reason))
            self._notify("withheld", reason)

    def forget(self, uri: str) -> None:
        """Drop what is kept for a document that was closed."""
        self.documents.close(uri)
        self.sources.forget(uri)
        self.queue.supersede(uri)
        self._told = {told for told in self._told if told[0] != uri}

    def _new_engine(self) -> EngineConnection:
        return EngineConnection(self._make_connect(self.settings), self._tell_status)

    def _tell_status(self, status: EngineStatus) -> None:
        self._notify(status.state, status.message)


def _name_of(uri: str) -> str:
    return PurePosixPath(unquote(urlparse(uri).path)).name or "This document"
