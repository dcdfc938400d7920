"""The comparison with llama.cpp, without llama.cpp: its gaps, its turns, its numbers."""

from typing import Any

import pytest

from benchmarks.completions import Completion
from benchmarks.infilling_tasks import InfillingTask
from benchmarks.llama_cpp_process import Written
from benchmarks.program_runner import ProgramRun
from benchmarks.side_by_side import (
    FIXED_TOKENS,
    NUM_NEW_CHARS,
    Asked,
    OurAnswers,
    TheirAnswers,
    answer_all,
    choose_gaps,
)
from benchmarks.side_by_side_scores import (
    as_completion,
    our_scores,
    ratios,
    shown_text,
    their_scores,
)
from infill_engine.api import CancelToken, InfillRequest, InfillResult
from tests.benchmarks.toy_tasks import TOY_TASKS

ASKED = Asked(most_tokens=64, least_confidence=0.4, seed=5)


def result(text: str, *confidence: tuple[int, float], reason: Any = "line_settled") -> InfillResult:
    timings = {"prefill": 1.0, "denoise": 2.0, "total": 3.0}
    return InfillResult(text, reason, 1, 1, 3, 0, 7, 0.1, timings, confidence)


def written(line: str, line_ms: float = 20.0, fixed_ms: float = 80.0) -> Written:
    return Written(line, 5.0, line_ms, fixed_ms, 4, 100, 2)


class Diary:
    """Both sides in one: writes down who was asked what."""

    def __init__(self) -> None:
        self.ours: list[InfillRequest] = []
        self.theirs: list[tuple[str, str]] = []
        self.turns: list[str] = []

    def infill(self, request: InfillRequest, cancel: CancelToken | None = None) -> InfillResult:
        self.ours.append(request)
        self.turns.append("ours")
        return result("    pass")

    def stream(self, request: InfillRequest, cancel: CancelToken | None = None) -> Any:
        raise AssertionError("nobody streams here")

    def read(self, prompt: str) -> None:
        self.theirs.append(("read", prompt))

    def write(
        self, prompt: str, fixed_tokens: int, most_tokens: int, is_cold: bool = False
    ) -> Written:
        assert (fixed_tokens, most_tokens) == (FIXED_TOKENS, 64)
        self.theirs.append(("cold" if is_cold else "warm", prompt))
        self.turns.append("theirs")
        return written("    pass")


def test_a_seed_chooses_the_gaps_and_fewer_are_the_first_of_more() -> None:
    tasks = [InfillingTask(str(idx), "", "", "", "", "") for idx in range(1033)]
    chosen = choose_gaps(tasks, 200, seed=0)
    assert len({task.task_id for task in chosen}) == 200
    assert choose_gaps(tasks, 5, seed=0) == chosen[:5]
    assert choose_gaps(tasks, 200, seed=1) != chosen
    assert len(choose_gaps(TOY_TASKS, 200, seed=0)) == len(TOY_TASKS)


def test_both_see_the_same_gap_cold_then_all_but_the_last_characters_then_warm() -> None:
    diary = Diary()
    answers = answer_all(diary, diary, TOY_TASKS[:2], ASKED)
    assert len(answers) == 2
    prompt = TOY_TASKS[0].prompt
    before = prompt[:-NUM_NEW_CHARS]
    assert diary.theirs[3:6] == [("cold", prompt), ("read", before), ("warm", prompt)]
    ours = diary.ours[5:10]
    assert [request.prefix for request in ours] == [prompt, before, prompt, before, prompt]
    assert [request.least_confidence for request in ours] == [0, 0, 0, 0, 0.4]
    assert {(request.mode, request.suffix) for request in ours} == {("line", TOY_TASKS[0].suffix)}


def test_the_sides_take_turns_in_being_first() -> None:
    diary = Diary()
    answer_all(diary, diary, TOY_TASKS[:2], ASKED)
    counted = diary.turns[7:]  # behind the first, which counts for nothing
    assert counted == ["ours"] * 5 + ["theirs"] * 4 + ["ours"] * 5


def test_what_is_shown_is_the_sure_part_in_whole_words() -> None:
    task = TOY_TASKS[1]
    sure = result("    found = numbers[1]", (4, 0.9), (9, 0.8), (15, 0.5), (22, 0.1))
    assert shown_text(task, sure, 0.4) == "    found ="
    assert shown_text(task, sure, 0.85) == ""  # indentation alone is not worth showing


def test_our_numbers() -> None:
    right = Completion("    found = numbers[0]\n", 50.0, result("    found = numbers[0]"))
    given_up = Completion("    fo\n", 10.0, result("    fo", (6, 0.2), reason="unsure"))
    answers = [OurAnswers(right, right, right), OurAnswers(given_up, given_up, given_up)]
    tasks = [TOY_TASKS[1], TOY_TASKS[1]]
    runs = [ProgramRun("passed"), ProgramRun("failed", "NameError")]
    scores = our_scores(tasks, answers, runs, least_confidence=0.4)
    assert scores["pass_at_1"] == scores["exact_match"] == 0.5
    assert scores["warm_ms"]["p50"] == 30.0
    assert scores["warm_written_out_ms"]["p50"] == 50.0
    assert scores["warm_written_out_ms"]["count"] == 1
    assert scores["shown"] == {
        "least_confidence": 0.4,
        "share": 0.5,
        "all_right": 1.0,
        "mean_chars": 22.0,
    }


def test_their_numbers() -> None:
    answer = TheirAnswers(written("    found = numbers[0]", 40.0, 90.0), written("    found = 1"))
    runs = [ProgramRun("failed", "AssertionError")]
    scores = their_scores([TOY_TASKS[1]], [answer], runs)
    assert scores["pass_at_1"] == scores["exact_match"] == 0.0  # the warm line is the one judged
    assert scores["cold_line_ms"]["p50"] == 40.0
    assert scores["warm_fixed_tokens_ms"]["p50"] == 80.0
    assert scores["warm_evaluated_tokens"]["p50"] == 2.0
    assert as_completion(answer.warm).text == "    found = 1\n"


def test_ratios_say_how_many_times_as_long_they_take() -> None:
    def pair(our_ms: float, line_ms: float, fixed_ms: float) -> tuple[OurAnswers, TheirAnswers]:
        ours = Completion("", our_ms, result(""))
        theirs = written("", line_ms, fixed_ms)
        return OurAnswers(ours, ours, ours), TheirAnswers(theirs, theirs)

    found = ratios([pair(10.0, 20.0, 100.0), pair(20.0, 30.0, 100.0), pair(40.0, 40.0, 100.0)])
    assert found["warm_line"] == {"of_p50": 1.5, "per_gap_p50": 1.5}
    assert found["cold_fixed_tokens"] == {"of_p50": 5.0, "per_gap_p50": 5.0}
    assert found["warm_line"] == pytest.approx(found["cold_line"])
