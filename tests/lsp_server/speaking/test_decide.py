"""The speaker's decisions, one by one; their interleavings are in test_decide_interleaved.py."""

from dataclasses import replace

import pytest

from lsp_server.speaking.decide import Speaker
from lsp_server.speaking.gap import Gap, Selected
from lsp_server.speaking.neighbours import Remembered
from lsp_server.speaking.outcomes import Answer, Ask, Situation
from lsp_server.speaking.reasons import Withheld
from lsp_server.speaking.request_log import RequestLine
from lsp_server.speaking.triggers import SpeakingPolicy

from .guesses import Guesses

URI = "file:///a.py"
GAP = Gap("x = ", "\ny\n", "python")


class Scene:
    """A speaker, its clock, its log and its speculation."""

    def __init__(self, policy: SpeakingPolicy | None = None) -> None:
        self.now_s = 100.0
        self.lines: list[RequestLine] = []
        self.speaker = Speaker(policy, clock=lambda: self.now_s, log=self.lines.append)
        self.guesses = Guesses()
        self.speaker.memory.speculation = self.guesses

    def ask(self, gap: Gap = GAP, *, invoked: bool = False) -> Answer | Withheld | Ask:
        return self.speaker.on_request(Situation(URI, gap, invoked))

    def show(self, text: str, gap: Gap = GAP, confidence: float | None = 0.9) -> Answer:
        """Have `text` suggested by the model."""
        asked = self.ask(gap)
        assert isinstance(asked, Ask)
        answer = self.speaker.on_answer(asked.ticket, Remembered(text, confidence), gap)
        assert isinstance(answer, Answer)
        return answer


def reason_of(outcome: object) -> str:
    assert isinstance(outcome, Withheld)
    return outcome.reason


def test_the_model_is_asked_and_its_answer_shown() -> None:
    scene = Scene()
    assert scene.show("foo") == Answer("foo", "model", None, 0.9)
    assert scene.speaker.ledger.stats.counts["shown"] == 1


def test_typing_through_asks_nobody() -> None:
    scene = Scene()
    scene.show("foo(1)")
    for typed in ("f", "fo", "foo"):
        scene.speaker.on_edit(URI, 0, typed[-1])
        assert scene.ask(GAP.filled(typed)) == Answer("foo(1)"[len(typed) :], "shown", None, 0.9)
    closed = replace(GAP.filled("foo("), suffix=")" + GAP.suffix)
    assert scene.ask(closed) == Answer("1", "shown", None, 0.9)
    assert reason_of(scene.ask(replace(closed, prefix=closed.prefix + "1"))) == "nothing_to_say"
    assert scene.speaker.ledger.stats.counts["model_answers"] == 1
    assert scene.speaker.ledger.stats.counts["shown"] == 1
    assert scene.speaker.ledger.stats.counts["model_calls_saved"] == 4


def test_deleting_back_answers_where_a_deletion_would_else_be_silent() -> None:
    scene = Scene()
    scene.show("foo")
    scene.speaker.on_edit(URI, 1, "")
    assert scene.ask() == Answer("foo", "shown", None, 0.9)
    assert reason_of(scene.ask(Gap("x =", GAP.suffix, "python"))) == "after_deletion"
    assert isinstance(scene.ask(Gap("x =", GAP.suffix, "python"), invoked=True), Ask)


def test_coming_back_after_much_else_asks_nobody() -> None:
    scene = Scene()
    scene.show("foo")
    for idx in range(10):
        scene.show("bar", Gap(f"z{idx} = ", "\n", "python"))
    assert scene.ask() == Answer("foo", "neighbours", None, 0.9)
    assert scene.ask(GAP.filled("f")) == Answer("oo", "shown", None, 0.9)


def test_asking_by_hand_asks_again_for_what_was_left_out() -> None:
    scene = Scene()
    scene.show("foo")
    asked = scene.ask(invoked=True)
    assert isinstance(asked, Ask)
    assert asked.wait_ms == 0.0
    scene.speaker.on_answer(asked.ticket, Remembered("foo + bar", 0.1, True), GAP)
    assert scene.ask(invoked=True) == Answer("foo + bar", "shown", None, 0.1)


def test_an_answer_for_a_text_that_has_changed_is_kept_but_not_shown() -> None:
    scene = Scene()
    asked = scene.ask()
    assert isinstance(asked, Ask)
    outcome = scene.speaker.on_answer(asked.ticket, Remembered("foo"), GAP.filled("f"))
    assert reason_of(outcome) == "text_changed"
    assert scene.ask(GAP.filled("f")) == Answer("oo", "neighbours")


def test_only_the_newest_request_is_answered() -> None:
    scene = Scene()
    older, newer = scene.ask(), scene.ask(Gap("z = ", "", "python"))
    assert isinstance(older, Ask)
    assert isinstance(newer, Ask)
    assert reason_of(scene.speaker.on_answer(older.ticket, Remembered("a"), GAP)) == "superseded"
    with pytest.raises(KeyError):
        scene.speaker.on_answer(older.ticket, Remembered("a"), GAP)
    assert reason_of(scene.speaker.on_failure(newer.ticket, "cancelled")) == "cancelled"


def test_a_request_that_got_nothing_supersedes_too() -> None:
    scene = Scene()
    scene.speaker.on_edit(URI, 1, "")
    asked = scene.ask(invoked=True)
    assert isinstance(asked, Ask)
    assert reason_of(scene.ask()) == "after_deletion"
    assert reason_of(scene.speaker.on_answer(asked.ticket, Remembered("a"), GAP)) == "superseded"


def test_nothing_is_answered_for_a_closed_document_or_old_settings() -> None:
    for forget in (lambda s: s.speaker.on_close(URI), lambda s: s.speaker.forget_answers()):
        scene = Scene()
        scene.show("foo")
        asked = scene.ask(Gap("z = ", "", "python"))
        assert isinstance(asked, Ask)
        forget(scene)
        outcome = scene.speaker.on_answer(asked.ticket, Remembered("a"), asked.place)
        assert reason_of(outcome) == "superseded"
        assert scene.guesses.running == {}
    assert isinstance(scene.ask(), Ask)


def test_what_is_withheld_for_the_document_comes_first() -> None:
    scene = Scene()
    scene.show("foo")
    withheld = Withheld("excluded", ".env may hold secrets.")
    assert scene.speaker.on_request(Situation(URI, GAP, True, withheld=withheld)) is withheld


def test_a_suggestion_extends_the_menu_s_item_or_there_is_none() -> None:
    scene = Scene()
    gap = Gap("pri", "\n", "python")
    selected = Selected("print", 3)
    asked = scene.speaker.on_request(Situation(URI, gap, selected=selected))
    assert isinstance(asked, Ask)
    assert asked.place == Gap("print", "\n", "python")
    answer = scene.speaker.on_answer(asked.ticket, Remembered("(x)"), gap)
    assert answer == Answer("print(x)", "model", selected)
    typed_on = Situation(URI, Gap("prin", "\n", "python"), selected=Selected("print", 4))
    assert scene.speaker.on_request(typed_on) == Answer("print(x)", "shown", typed_on.selected)
    too_long = Situation(URI, gap, selected=Selected("print", 9))
    assert reason_of(scene.speaker.on_request(too_long)) == "menu"


def test_the_place_behind_a_sure_suggestion_is_filled_ahead() -> None:
    scene = Scene()
    scene.show("foo")
    assert scene.guesses.running == {URI: GAP.filled("foo")}
    scene.ask(GAP.filled("f"))  # typed through: goes on
    assert scene.guesses.running == {URI: GAP.filled("foo")}
    scene.speaker.on_speculated(URI, GAP.filled("foo"), Remembered("\nz = 1"))
    scene.speaker.on_accept(URI, 3)
    assert scene.ask(GAP.filled("foo")) == Answer("\nz = 1", "neighbours")


@pytest.mark.parametrize(
    ("policy", "confidence"),
    [(SpeakingPolicy(speculates=False), 0.99), (SpeakingPolicy(), 0.3)],
)
def test_nothing_is_filled_ahead_when_unwanted_or_unsure(
    policy: SpeakingPolicy, confidence: float
) -> None:
    scene = Scene(policy)
    scene.show("foo", confidence=confidence)
    assert scene.guesses.running == {}


def test_another_question_ends_speculation_and_the_same_one_joins_it() -> None:
    scene = Scene()
    scene.show("foo")
    joined = scene.ask(GAP.filled("foo"))
    assert isinstance(joined, Ask)
    assert (joined.is_speculated, joined.wait_ms) == (True, 0.0)
    again = scene.speaker.on_joined(joined.ticket, joined.place)
    assert again == replace(joined, is_speculated=False)
    scene.speaker.on_speculated(URI, joined.place, Remembered(" + 1"))
    assert scene.speaker.on_joined(joined.ticket, joined.place) == Answer(" + 1", "neighbours")
    scene.ask(Gap("other = ", "", "python"))
    assert scene.guesses.running == {}


def test_after_an_acceptance_nobody_waits() -> None:
    scene = Scene(SpeakingPolicy(speculates=False))
    scene.show("foo")
    scene.speaker.on_edit(URI, 0, "fo")
    wrong = scene.ask(GAP.filled("fa"))
    assert isinstance(wrong, Ask)
    assert wrong.wait_ms > 0
    scene.speaker.on_accept(URI, 2, is_whole=False)
    asked = scene.ask(GAP.filled("fa"))
    assert isinstance(asked, Ask)
    assert asked.wait_ms == 0.0
    counts = scene.speaker.ledger.stats.counts
    assert (counts["partially_accepted"], counts["accepted_chars"]) == (1, 2)


def test_the_latency_that_is_learned_leaves_out_the_wait() -> None:
    scene = Scene()
    scene.speaker.on_edit(URI, 0, "x")
    asked = scene.ask()
    assert isinstance(asked, Ask)
    scene.now_s += asked.wait_ms / 1000 + 0.05
    scene.speaker.on_answer(asked.ticket, Remembered("foo"), GAP)
    assert scene.speaker.cadence.latency_ms == pytest.approx(50.0)
    assert scene.speaker.ledger.take_stats().percentile_ms(50) == pytest.approx(
        asked.wait_ms + 50.0, abs=0.1
    )
    assert scene.speaker.ledger.stats.is_empty


def test_the_log_has_one_line_per_request_and_no_word_of_the_document() -> None:
    scene = Scene()
    scene.show("secret_answer", Gap("secret_before = ", "\nsecret_after", "python"))
    scene.speaker.on_edit(URI, 1, "")
    scene.ask()
    assert [line.outcome for line in scene.lines] == ["model", "after_deletion"]
    assert scene.lines[0].prefix_chars == len("secret_before = ")
    assert "secret" not in repr(scene.lines)
    assert URI not in repr(scene.lines)


def test_a_joined_speculation_is_not_shown_for_a_text_that_has_changed() -> None:
    scene = Scene()
    scene.show("foo")
    joined = scene.ask(GAP.filled("foo"))
    assert isinstance(joined, Ask)
    scene.speaker.on_speculated(URI, joined.place, Remembered(" + 1"))
    outcome = scene.speaker.on_joined(joined.ticket, joined.place.filled("x"))
    assert reason_of(outcome) == "text_changed"
