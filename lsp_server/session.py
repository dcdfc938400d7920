"""State of one connection to an editor: settings, open documents, memory, queue and engine.

Knows nothing of LSP's methods.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from infill_engine.api import InfillRequest, Snippet
from lsp_server.context.snippets import SnippetChooser
from lsp_server.documents import DocumentStore, OpenDocument
from lsp_server.engine_connection import Connect, EngineConnection, EngineStatus
from lsp_server.from_lsp import relative_path
from lsp_server.idle_parsing import IdleParsing
from lsp_server.parent_watch import call_when_gone
from lsp_server.positions import PositionEncoding
from lsp_server.request_queue import RequestQueue
from lsp_server.settings import ServerSettings, SettingsSources
from lsp_server.speaking.decide import Speaker
from lsp_server.speaking.exclusions import Exclusions
from lsp_server.speaking.gap import Gap
from lsp_server.speaking.neighbours import Remembered
from lsp_server.speaking.outcomes import Answer, Situation
from lsp_server.speaking.reasons import Withheld
from lsp_server.speaking.recording import Recording
from lsp_server.speaking.request_log import RequestLine
from lsp_server.speaking.speculation import Speculation
from lsp_server.stats_keeping import StatsKeeping
from lsp_server.suggestion import suggest
from lsp_server.withholding import why_withheld

Notify = Callable[[str, str, int | None], None]
"""Tells the editor a state, a message for the user and, while loading, how many percent."""
MakeConnect = Callable[[ServerSettings], Connect]


class Position(Protocol):
    """A place in a document, as the client counts."""

    line: int
    character: int


class Session:
    """Everything that lives as long as the connection.

    Attributes:
        settings: what counts for the connection; see `settings_for`.
        sources: where settings come from.
        encoding: what positions count, as negotiated.
        documents: the open documents.
        folder_uris: the open folders, as they are now.
        queue: newest request wins, per document.
        snippets: other code for the model to see.
        idle_parsing: brings syntax trees up to date between keystrokes.
        speaker: decides when to speak, and remembers what was said.
        recording: of the session, when the user asked for one.
        speculation: fills the place behind a suggestion while that is read.
        engine: the way to the engine.
    """

    def __init__(
        self,
        sources: SettingsSources,
        encoding: PositionEncoding,
        make_connect: MakeConnect,
        notify: Notify,
        folder_uris: Callable[[], Sequence[str]],
        log: Callable[[RequestLine], None] | None = None,
        replaces_from_line_start: bool = False,
    ) -> None:
        self.sources = sources
        self.settings = sources.for_connection()
        self.encoding: PositionEncoding = encoding
        self.folder_uris = folder_uris
        self.documents = DocumentStore()
        self.queue = RequestQueue()
        self.snippets = SnippetChooser()
        self.idle_parsing = IdleParsing()
        self.speaker = Speaker(log=log)
        self.speculation = Speculation(self._speculate, self.speaker.on_speculated)
        self.speaker.memory.speculation = self.speculation
        self.recording: Recording | None = None
        self._record_path = ""
        self._num_requests = 0
        self._exclusions = Exclusions()
        self._stats = StatsKeeping(self.speaker.ledger.take_stats)
        self._replaces_from_line_start = replaces_from_line_start
        self._make_connect = make_connect
        self._notify = notify
        self._told: set[tuple[str, str]] = set()
        self._parent_watch: asyncio.Task[None] | None = None
        self.engine = self._new_engine()

    def end_with(self, process_id: int) -> None:
        """End this process when that one, the editor's, is gone, or is gone already."""
        # Nothing here needs saving, and stdin may never end: no orderly way out is left.
        self._parent_watch = asyncio.ensure_future(call_when_gone(process_id, lambda: os._exit(1)))

    def start_engine(self) -> None:
        """Have the engine ready before the first request, unless suggestions are off."""
        self._stats.start()
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
        self.speaker.forget_answers()
        if old.engine_choice != settings.engine_choice:
            old_engine, self.engine = self.engine, self._new_engine()
            await old_engine.close()
        self.start_engine()

    def record_to(self, path: str) -> None:
        """Record edits and requests in a file from now on; "" ends that. Modifies: recording."""
        if path == self._record_path:
            return
        if self.recording is not None:
            self.recording.close()
        self._record_path, self.recording = path, None
        if path:
            self.recording = Recording(Path(path), self.encoding)
            for document in self.documents:
                self.recording.opened(
                    document.uri, document.language_id, document.version, document.text
                )

    def note_request(self, position: Position, situation: Situation) -> int:
        """Record a request, if anything is recorded; returns its number."""
        self._num_requests += 1
        if self.recording is not None:
            self.recording.asked(
                self._num_requests,
                situation.uri,
                position.line,
                position.character,
                situation.is_invoked,
            )
        return self._num_requests

    def note_outcome(self, number: int, outcome: Answer | Withheld) -> None:
        """Record what came of a request, if anything is recorded."""
        if self.recording is None:
            return
        if isinstance(outcome, Answer):
            self.recording.answered(number, outcome.text)
        else:
            self.recording.answered(number, None, outcome.reason)

    async def close(self) -> None:
        """Let go of the engine, which may go on for other editors."""
        if self._parent_watch is not None:
            self._parent_watch.cancel()
        self.sources.close()
        self.idle_parsing.close()
        self.speculation.cancel_all()
        self._stats.close()
        self.record_to("")
        await self.engine.close()

    def why_withheld(self, document: OpenDocument, settings: ServerSettings) -> Withheld | None:
        """Say why nothing is suggested in `document`; None when something may be."""
        return why_withheld(document, settings, self.folder_uris(), self._exclusions)

    def snippets_for(
        self, document: OpenDocument, line_idx: int, char_offset: int, settings: ServerSettings
    ) -> tuple[Snippet, ...]:
        """Other code worth showing to the model; never of a document that is excluded."""
        if settings.context_max_tokens == 0:
            return ()
        folders = self.folder_uris()
        shown = [
            other
            for other in self.documents
            if other is document
            or (
                settings.context_other_files
                and self.why_withheld(other, self.sources.for_document(other.uri)) is None
            )
        ]
        return self.snippets.choose(
            document,
            line_idx,
            char_offset,
            shown,
            lambda uri: relative_path(uri, folders),
            settings.context_max_tokens,
        )

    def line_start(self, uri: str, position: Position) -> str:
        """The line's text before a position, for a client whose ranges begin there; else ""."""
        document = self.documents.get(uri)
        if document is None or not self._replaces_from_line_start:
            return ""
        line_idx, char_offset = document.locate(position.line, position.character, self.encoding)
        return document.lines[line_idx][:char_offset]

    def tell_withheld(self, uri: str, reason: str) -> None:
        """Tell the user once per document and reason that nothing is suggested there."""
        if (uri, reason) not in self._told:
            self._told.add((uri, reason))
            self._notify("withheld", reason, None)

    def forget(self, uri: str) -> None:
        """Drop what is kept for a document that was closed."""
        self.documents.close(uri)
        self.sources.forget(uri)
        self.snippets.forget(uri)
        self.idle_parsing.forget(uri)
        self.speaker.on_close(uri)
        self.queue.supersede(uri)
        self._told = {told for told in self._told if told[0] != uri}

    async def _speculate(self, uri: str, gap: Gap) -> Remembered | None:
        """Fill a gap that nobody has asked about yet.

        As a block, so that an answer may begin with the line's end, and no longer than a line.
        """
        settings = self.sources.for_document(uri)
        request = InfillRequest(
            prefix=gap.prefix,
            suffix=gap.suffix,
            language_id=gap.language_id,
            path=relative_path(uri, self.folder_uris()),
            mode="block",
            max_new_tokens=settings.line_max_tokens,
            deadline_ms=settings.deadline_ms,
            seed=settings.seed,
            least_confidence=settings.min_confidence,
        )
        found = await suggest(self.engine, uri, request)
        return Remembered(found.text, found.confidence)

    def _new_engine(self) -> EngineConnection:
        return EngineConnection(self._make_connect(self.settings), self._tell_status)

    def _tell_status(self, status: EngineStatus) -> None:
        self._notify(status.state, status.message, status.percent)
