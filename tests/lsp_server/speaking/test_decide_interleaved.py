"""Random typing, undoing, accepting and answering, with a clock of its own: what always holds."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lsp_server.speaking.decide import Speaker
from lsp_server.speaking.gap import Gap
from lsp_server.speaking.neighbours import Remembered
from lsp_server.speaking.outcomes import Answer, Ask, Situation
from lsp_server.speaking.reasons import Withheld

from .guesses import Guesses

URIS = ("file:///a.py", "file:///b.py")
URI = st.sampled_from([URIS[0], URIS[0], URIS[0], URIS[1]])
CLOSERS = {"(": ")", "[": "]", "{": "}"}
SUGGESTIONS = [
    "foo(x)",
    "foo",
    "f(g(1), 2)",
    "(x)",
    "[(1)] + 2",
    "x + 1\n    return x",
    "",
    "[1]\n",
    "{\n}",
]


@dataclass
class Document:
    before: str = "a = "
    after: str = "\n"
    newest_ticket: int | None = None
    shown: tuple[str, str] | None = None
    """What stands at the cursor as ghost text: the text before it when it came, and itself."""
    undo: list[tuple[str, str]] = field(default_factory=list)

    @property
    def gap(self) -> Gap:
        return Gap(self.before, self.after, "python")


class Editing(RuleBasedStateMachine):
    """A user with two documents, an engine that answers in any order, a speaker between them."""

    @initialize()
    def begin(self) -> None:
        self.now_s = 0.0
        self.documents = {uri: Document() for uri in URIS}
        self.guesses = Guesses()
        self.lines: list[object] = []
        self.speaker = Speaker(clock=lambda: self.now_s, log=self.lines.append)
        self.speaker.memory.speculation = self.guesses
        self.open: dict[int, tuple[str, Gap, Ask]] = {}
        self.num_requests = 0
        self.num_outcomes = 0

    # What the user does.

    @rule(uri=URI, num_keys=st.integers(1, 6), seconds=st.sampled_from([0.05, 0.15, 2.0]))
    def type_what_is_shown(self, uri: str, num_keys: int, seconds: float) -> None:
        for _ in range(num_keys):
            self.type_next_of_what_is_shown(uri, seconds)

    def type_next_of_what_is_shown(self, uri: str, seconds: float) -> None:
        document = self.documents[uri]
        if document.shown is None or document.shown[0] != document.before:
            return
        self.now_s += seconds
        before, rest = document.shown
        char = rest[0]
        after, is_over = document.after, char in ")]}" and document.after.startswith(char)
        after = after[1:] if is_over else CLOSERS.get(char, "") + after
        self.edit(uri, before + char, after, int(is_over), char)
        outcome = self.request(uri, invoked=False)
        if len(rest) > 1 and not is_over:  # the bracket typed over may not be of this suggestion
            assert not isinstance(outcome, Ask)
            if char not in CLOSERS:
                assert isinstance(outcome, Answer)
                assert outcome.text == rest[1:]
            elif isinstance(outcome, Answer):  # it ends where the editor's bracket stands
                assert rest[1 + len(outcome.text) :].startswith(CLOSERS[char])
                assert rest.startswith(char + outcome.text)

    @rule(uri=URI, char=st.sampled_from(list("fx(1)\n ")), asks=st.booleans())
    def type_anything(self, uri: str, char: str, asks: bool) -> None:
        document = self.documents[uri]
        self.now_s += 0.1
        self.edit(uri, document.before + char, document.after, 0, char)
        if asks:
            self.request(uri, invoked=False)

    @rule(uri=URI)
    def delete(self, uri: str) -> None:
        document = self.documents[uri]
        if document.before:
            closer = CLOSERS.get(document.before[-1], "-")
            is_pair = document.after.startswith(closer)
            after = document.after[1:] if is_pair else document.after
            self.edit(uri, document.before[:-1], after, 1 + is_pair, "")
            outcome = self.request(uri, invoked=False)
            assert not isinstance(outcome, Ask)  # known before, or nothing

    @rule(uri=URI)
    def undo(self, uri: str) -> None:
        document = self.documents[uri]
        if document.undo:
            before, after = document.undo.pop()
            num_removed = max(len(document.before) - len(before), 0)
            inserted = "" if num_removed else before[len(document.before) :]
            self.speaker.on_edit(uri, num_removed, inserted)
            document.before, document.after, document.shown = before, after, None
            self.request(uri, invoked=False)

    @rule(uri=URI, whole=st.booleans())
    def accept(self, uri: str, whole: bool) -> None:
        document = self.documents[uri]
        if document.shown is None or document.shown[0] != document.before:
            return
        rest = document.shown[1]
        text = rest if whole else rest[: max(len(rest) // 2, 1)]
        self.edit(uri, document.before + text, document.after, 0, text)
        self.speaker.on_accept(uri, len(text), whole)
        outcome = self.request(uri, invoked=False)
        if len(text) < len(rest):
            assert isinstance(outcome, Answer)
            assert outcome.text == rest[len(text) :]

    @rule(uri=URI, invoked=st.booleans())
    def ask(self, uri: str, invoked: bool) -> None:
        outcome = self.request(uri, invoked)
        assert not (invoked and isinstance(outcome, Withheld))

    @rule(uri=URI)
    def reopen(self, uri: str) -> None:
        self.speaker.on_close(uri)
        self.documents[uri] = Document()

    # What the engine does.

    @precondition(lambda self: self.open)
    @rule(data=st.data(), text=st.sampled_from(SUGGESTIONS))
    def answer(self, data: st.DataObject, text: str) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.open)))
        uri, gap, _ = self.open.pop(ticket)
        gap_now = self.documents[uri].gap
        self.now_s += 0.05
        outcome = self.speaker.on_answer(ticket, Remembered(text, 0.9), gap_now)
        self.num_outcomes += 1
        if isinstance(outcome, Answer):
            assert gap_now == gap
            assert outcome.text == text
            assert self.documents[uri].newest_ticket == ticket
        elif gap_now == gap and text:
            assert self.documents[uri].newest_ticket != ticket
        self.note(uri, outcome)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(sorted(self.open)))
        del self.open[ticket]
        assert self.speaker.on_failure(ticket, "engine_failed").reason == "engine_failed"
        self.num_outcomes += 1

    @precondition(lambda self: self.guesses.running)
    @rule(text=st.sampled_from(SUGGESTIONS[:4]))
    def speculate(self, text: str) -> None:
        uri, gap = self.guesses.running.popitem()
        self.speaker.on_speculated(uri, gap, Remembered(text, 0.9))

    # How it is driven.

    def edit(self, uri: str, before: str, after: str, num_removed: int, inserted: str) -> None:
        document = self.documents[uri]
        document.undo.append((document.before, document.after))
        document.before, document.after, document.shown = before, after, None
        self.speaker.on_edit(uri, num_removed, inserted)

    def request(self, uri: str, invoked: bool) -> object:
        document = self.documents[uri]
        self.num_requests += 1
        outcome = self.speaker.on_request(Situation(uri, document.gap, invoked))
        document.newest_ticket = outcome.ticket if isinstance(outcome, Ask) else None
        if isinstance(outcome, Ask):
            assert outcome.place == document.gap
            assert 0 <= outcome.wait_ms <= 400
            self.open[outcome.ticket] = (uri, document.gap, outcome)
        else:
            self.num_outcomes += 1
        self.note(uri, outcome)
        return outcome

    def note(self, uri: str, outcome: object) -> None:
        document = self.documents[uri]
        if isinstance(outcome, Answer):
            assert outcome.text
            document.shown = (document.before, outcome.text)

    @invariant()
    def every_request_has_one_outcome_or_is_open(self) -> None:
        assert self.num_requests == self.num_outcomes + len(self.open)
        assert len(self.lines) == self.num_outcomes
        assert self.speaker.ledger.stats.counts["requests"] == self.num_requests

    @invariant()
    def at_most_one_guess_per_document(self) -> None:
        assert set(self.guesses.running) <= set(URIS)


TestEditing = Editing.TestCase
TestEditing.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
