"""Decides what comes of each request: nothing, an answer from memory, or a question to the model.

The facade of this package, one `Speaker` per session. Its methods are called when something
happens and return at once. Knows nothing of LSP, of the engine or of files; between keystroke and
ghost text it stands before the request queue and again after the text has been cleaned.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from lsp_server.speaking.cadence import Cadence
from lsp_server.speaking.gap import Gap
from lsp_server.speaking.ledger import Ledger
from lsp_server.speaking.memory import Memory
from lsp_server.speaking.neighbours import Remembered
from lsp_server.speaking.outcomes import Answer, Ask, OpenRequest, Situation, Source
from lsp_server.speaking.reasons import Reason, Withheld
from lsp_server.speaking.request_log import RequestLine
from lsp_server.speaking.triggers import LastDone, SpeakingPolicy, why_quiet

Outcome = TypeVar("Outcome", Answer, Withheld, Answer | Withheld)

_KEY_CHARS = 4
"""More than this at once was not typed: it says nothing about the rhythm."""


@dataclass(slots=True)
class _DocumentState:
    last: LastDone = field(default_factory=LastDone)
    newest_ticket: int | None = None


class Speaker:
    """One session's decisions.

    Use from one event loop only. Every request gets exactly one outcome: `on_request` returns it,
    or an `Ask` whose ticket is then given, once, to `on_answer` or `on_failure`: a ticket that is
    used up or unknown is a KeyError.

    Attributes:
        policy: the user's choice.
        memory: what answers without the model; its `speculation` is the caller's to set.
        ledger: what has been counted.
        cadence: the rhythm of typing and the engine's latency.
        client_tells_shown: whether the client gives rise to `on_shown`; else every new answer
            counts as shown.
    """

    def __init__(
        self,
        policy: SpeakingPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        client_tells_shown: bool = False,
        log: Callable[[RequestLine], None] | None = None,
    ) -> None:
        """Set up.

        Args:
            policy: the user's choice; the defaults when None.
            clock: seconds, from any beginning.
            client_tells_shown: see the attribute.
            log: takes a line for every request.
        """
        self.policy = policy or SpeakingPolicy()
        self.memory = Memory()
        self.ledger = Ledger(log)
        self.cadence = Cadence()
        self._clock = clock
        self.client_tells_shown = client_tells_shown
        self._documents: dict[str, _DocumentState] = {}
        self._open: dict[int, OpenRequest] = {}
        self._num_tickets = 0

    def on_edit(self, uri: str, num_removed: int, inserted: str) -> None:
        """Note one change of a document: so many characters went, this text came."""
        self._state(uri).last.on_edit(num_removed, inserted)
        if num_removed <= _KEY_CHARS and len(inserted.strip()) <= _KEY_CHARS:
            self.cadence.on_key(self._now_ms())

    def on_request(self, situation: Situation) -> Answer | Withheld | Ask:
        """Decide what comes of a request; an older one of the document is superseded by it.

        1. Nothing where nothing may be suggested, or where the menu's item does not fit.
        2. What memory has; also after a deletion: it was there before.
        3. Nothing at the wrong moment, unless asked by hand.
        4. Else the model is to be asked.
        """
        self.ledger.stats.count("requests")
        state, now_ms = self._state(situation.uri), self._now_ms()
        state.newest_ticket = None
        # 1. Nothing where nothing may be suggested, or where the menu's item does not fit.
        if situation.withheld is not None:
            return self._conclude(situation, situation.withheld, now_ms)
        place = situation.place()
        if place is None:
            return self._conclude(situation, Withheld.because("menu"), now_ms)
        # 2. What memory has; also after a deletion: it was there before.
        recalled = (
            self.memory.recall(situation.uri, place, situation.is_invoked)
            if self.policy.reuses
            else None
        )
        if recalled is not None and not recalled.filled.text:
            return self._conclude(situation, Withheld.because("nothing_to_say"), now_ms)
        if recalled is not None:
            if recalled.source != "shown":
                self._show(situation, place, recalled.filled)
            answer = _answer(situation, recalled.filled, recalled.source)
            return self._conclude(situation, answer, now_ms)
        # 3. Nothing at the wrong moment, unless asked by hand.
        if not situation.is_invoked:
            reason = why_quiet(place, situation.kind, state.last, self.policy)
            if reason is not None:
                return self._conclude(situation, Withheld.because(reason), now_ms)
        # 4. Else the model is to be asked.
        return self._ask(situation, place, state, now_ms)

    def on_joined(self, ticket: int, gap_now: Gap | None) -> Answer | Withheld | Ask:
        """Decide anew when the speculation that an `Ask` pointed to has ended.

        Args:
            ticket: of the `Ask`.
            gap_now: as for `on_answer`.

        Returns:
            The outcome, with which the ticket is used up; or an `Ask` with the same ticket, when
            speculation has brought nothing.
        """
        opened = self._open[ticket]
        uri, place = opened.situation.uri, opened.ask.place
        recalled = self.memory.recall(uri, place, is_invoked=False)
        if recalled is None:
            ask = replace(opened.ask, is_speculated=False)
            self._open[ticket] = replace(opened, ask=ask)
            return ask
        return self._close(ticket, recalled.filled, gap_now, recalled.source)

    def on_answer(self, ticket: int, filled: Remembered, gap_now: Gap | None) -> Answer | Withheld:
        """Take the model's answer, cleaned, and decide whether it is still worth showing.

        Args:
            ticket: of the `Ask`.
            filled: text for the place asked about, "" for none.
            gap_now: what stands at the request's position by now; None when the document is gone.
        """
        opened = self._open[ticket]
        took_ms = self._now_ms() - opened.asked_ms
        self.cadence.on_latency(took_ms - opened.ask.wait_ms)
        self.ledger.stats.note_latency(took_ms)
        self.ledger.stats.count("model_answers")
        # Also when it comes too late: the user may come back.
        self.memory.keep(opened.situation.uri, opened.ask.place, filled)
        return self._close(ticket, filled, gap_now, "model")

    def on_failure(self, ticket: int, reason: Reason) -> Withheld:
        """Note that an `Ask` came to nothing: superseded, cancelled, or the engine failed."""
        opened = self._open.pop(ticket)
        withheld = Withheld.because(reason)
        return self._conclude(opened.situation, withheld, opened.asked_ms, opened.ask.wait_ms)

    def on_speculated(self, uri: str, gap: Gap, filled: Remembered) -> None:
        """Keep what speculation has found."""
        self.ledger.stats.count("speculations")
        self.memory.keep(uri, gap, filled)

    def on_shown(self) -> None:
        """Note that the client has shown a new suggestion."""
        self.ledger.stats.count("shown")

    def on_accept(self, uri: str, num_chars: int, is_whole: bool = True) -> None:
        """Note that the user accepted a suggestion, or that many characters of it."""
        self._state(uri).last.on_accept()
        self.ledger.stats.count("accepted" if is_whole else "partially_accepted")
        self.ledger.stats.count("accepted_chars", num_chars)

    def on_close(self, uri: str) -> None:
        """Forget a document; its open request counts as superseded."""
        self._documents.pop(uri, None)
        self.memory.forget(uri)
        self.ledger.forget(uri)

    def forget_answers(self) -> None:
        """Drop every answer: with other settings or another model none of them holds."""
        self.memory.clear()
        for state in self._documents.values():
            state.newest_ticket = None

    def _ask(self, situation: Situation, place: Gap, state: _DocumentState, now_ms: float) -> Ask:
        is_speculated = self.memory.claim_engine(situation.uri, place, situation.is_invoked)
        hurries = situation.is_invoked or state.last.is_acceptance or is_speculated
        wait_ms = self.cadence.wait_ms(now_ms, hurries)
        ask = Ask(self._num_tickets, place, wait_ms, is_speculated)
        self._num_tickets += 1
        self._open[ask.ticket] = OpenRequest(situation, ask, now_ms)
        state.newest_ticket = ask.ticket
        return ask

    def _close(
        self, ticket: int, filled: Remembered, gap_now: Gap | None, source: Source
    ) -> Answer | Withheld:
        opened = self._open.pop(ticket)
        situation, ask = opened.situation, opened.ask
        state = self._documents.get(situation.uri)
        outcome: Answer | Withheld
        if state is None or state.newest_ticket != ticket:
            outcome = Withheld.because("superseded")
        elif gap_now is None or not gap_now.is_same_place(situation.gap):
            outcome = Withheld.because("text_changed")
        elif not filled.text:
            outcome = Withheld.because("nothing_to_say")
        else:
            self._show(situation, ask.place, filled)
            outcome = _answer(situation, filled, source)
        return self._conclude(situation, outcome, opened.asked_ms, ask.wait_ms)

    def _show(self, situation: Situation, place: Gap, filled: Remembered) -> None:
        is_sure = filled.confidence is None or (
            filled.confidence >= self.policy.speculation_confidence
        )
        self.memory.show(situation.uri, place, filled, self.policy.speculates and is_sure)
        if not self.client_tells_shown:
            self.on_shown()

    def _conclude(
        self, situation: Situation, outcome: Outcome, asked_ms: float, waited_ms: float = 0.0
    ) -> Outcome:
        self.ledger.write(situation, outcome, self._now_ms() - asked_ms, waited_ms)
        return outcome

    def _state(self, uri: str) -> _DocumentState:
        return self._documents.setdefault(uri, _DocumentState())

    def _now_ms(self) -> float:
        return self._clock() * 1000


def _answer(situation: Situation, filled: Remembered, source: Source) -> Answer:
    selected = situation.selected
    text = filled.text if selected is None else selected.text + filled.text
    return Answer(text, source, selected, filled.confidence)
