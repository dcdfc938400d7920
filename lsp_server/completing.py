"""One request for a gap, from position to text: the recipe behind every kind of completion.

Read `complete` first. Knows nothing of which LSP method asked or of how the text is sent.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from infill_engine.api import InfillError
from lsp_server.context import position_kind
from lsp_server.documents import OpenDocument
from lsp_server.from_lsp import build_request, gap_at, selected_item
from lsp_server.speaking.gap import Gap
from lsp_server.speaking.neighbours import Remembered
from lsp_server.speaking.outcomes import Answer, Ask, Situation
from lsp_server.speaking.reasons import Withheld
from lsp_server.speaking.triggers import SpeakingPolicy, is_word_char
from lsp_server.suggestion import OnUpdate, suggest

if TYPE_CHECKING:
    from lsp_server.protocol import InfillServer
    from lsp_server.settings import ServerSettings

logger = logging.getLogger(__name__)


async def complete(
    server: "InfillServer",
    params: types.InlineCompletionParams,
    on_update: OnUpdate | None = None,
) -> Answer | Withheld:
    """What to offer at the cursor, or why nothing.

    Nothing also for a request that a newer one superseded, one whose document has changed since,
    and every failure: an error would be shown to the user on each keystroke. A request that the
    client cancelled is answered by pygls with -32800.

    1. Find the document, and what the cursor stands in.
    2. Decide: nothing, an answer from memory, or ask the model.
    3. Ask it, as the document's newest request.
    """
    session, uri = server.session, params.text_document.uri
    # 1. Find the document, and what the cursor stands in.
    document = session.documents.get(uri)
    if document is None:
        logger.info("no suggestion: the document is not open")
        return Withheld.because("not_open")
    settings = await session.settings_for(uri)
    situation = _situation(server, document, params, settings)
    number = session.note_request(params.position, situation)
    # 2. Decide.
    session.speaker.policy = _policy(settings)
    outcome = session.speaker.on_request(situation)
    # 3. Ask the model.
    if isinstance(outcome, Ask):
        asking = _Asking(server, document, params.position, situation, settings, on_update)
        outcome = await asking.run(outcome)
    session.note_outcome(number, outcome)
    if isinstance(outcome, Withheld):
        logger.info("no suggestion: %s", outcome.reason)
        if situation.withheld is not None:
            session.tell_withheld(uri, outcome.sentence)
    return outcome


def _situation(
    server: "InfillServer",
    document: OpenDocument,
    params: types.InlineCompletionParams,
    settings: "ServerSettings",
) -> Situation:
    session, position = server.session, params.position
    view = document.gap_view(*document.locate(position.line, position.character, session.encoding))
    return Situation(
        uri=document.uri,
        gap=gap_at(document, position, session.encoding),
        is_invoked=params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked,
        kind="code" if view is None else position_kind(view),
        selected=selected_item(document, params, session.encoding),
        withheld=session.why_withheld(document, settings),
    )


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question to the model, which comes to exactly one outcome."""

    server: "InfillServer"
    document: OpenDocument
    position: types.Position
    situation: Situation
    settings: "ServerSettings"
    on_update: OnUpdate | None

    async def run(self, ask: Ask) -> Answer | Withheld:
        """Have the model asked, unless a newer request takes over."""
        session, ticket = self.server.session, ask.ticket
        try:
            outcome = await session.queue.run(self.document.uri, lambda: self._work(ask))
            return outcome or session.speaker.on_failure(ticket, "superseded")
        except asyncio.CancelledError:
            session.speaker.on_failure(ticket, "cancelled")
            raise
        except InfillError as error:
            logger.info("the engine: %s", error.code)
        except Exception as error:
            message = f"A suggestion failed: {type(error).__name__}."
            self.server.log(types.MessageType.Error, message)
        return session.speaker.on_failure(ticket, "engine_failed")

    async def _work(self, ask: Ask) -> Answer | Withheld:
        session, document = self.server.session, self.document
        if ask.is_speculated:
            await session.speculation.join(document.uri)
            outcome = session.speaker.on_joined(ask.ticket, self._gap_now())
            if not isinstance(outcome, Ask):
                return outcome
        else:
            await asyncio.sleep(_wait_ms(ask, self.situation, self.settings) / 1000)
        at = document.locate(self.position.line, self.position.character, session.encoding)
        request = build_request(
            document,
            self.position,
            ask.place,
            self.situation.is_invoked,
            session.encoding,
            self.settings,
            session.folder_uris(),
            session.snippets_for(document, *at, self.settings),
        )
        found = await suggest(session.engine, document.uri, request, self.on_update)
        # An item of the menu is a whole word: what would make another of it does not extend it.
        is_glued = self.situation.selected is not None and _joins_words(ask.place, found.text)
        text = "" if is_glued else found.text
        filled = Remembered(text, found.confidence, self.situation.is_invoked)
        return session.speaker.on_answer(ask.ticket, filled, self._gap_now())

    def _gap_now(self) -> Gap | None:
        session = self.server.session
        if session.documents.get(self.document.uri) is not self.document:
            return None
        return gap_at(self.document, self.position, session.encoding)


def _joins_words(place: Gap, text: str) -> bool:
    return is_word_char(place.prefix[-1:]) and is_word_char(text[:1])


def _policy(settings: "ServerSettings") -> SpeakingPolicy:
    return SpeakingPolicy(
        in_comments=settings.in_comments,
        in_strings=settings.in_strings,
        after_deletion=settings.after_deletion,
        reuses=settings.reuse_typed,
        speculates=settings.speculate,
    )


def _wait_ms(ask: Ask, situation: Situation, settings: "ServerSettings") -> float:
    """How long to wait for another key: what the rhythm suggests, within what the user set."""
    if situation.is_invoked:
        return 0.0
    return min(max(ask.wait_ms, settings.debounce_min_ms), settings.debounce_max_ms)
