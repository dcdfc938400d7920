"""The arithmetic of the reports, by hand-computed cases."""

import pytest

from benchmarks.completions import Completion
from benchmarks.distribution import Distribution, percentile
from benchmarks.infilling_scores import cost_scores, outcome_counts, pass_rate, text_scores
from benchmarks.program_runner import ProgramRun
from benchmarks.similarity import edit_similarity
from infill_engine.api import InfillResult
from tests.benchmarks.toy_tasks import TOY_TASKS


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "", 1.0),
        ("", "abc", 0.0),
        ("abc", "abc", 1.0),
        ("kitten", "sitting", 1 - 3 / 7),
        ("flaw", "lawn", 0.5),
    ],
)
def test_edit_similarity(one: str, other: str, expected: float) -> None:
    assert edit_similarity(one, other) == edit_similarity(other, one) == pytest.approx(expected)


def test_percentiles_are_interpolated() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.5
    assert percentile([7.0], 95) == 7.0
    assert percentile([0.0, 10.0], 95) == 9.5
    summary = Distribution.of([1.0, 2.0, 6.0])
    assert (summary.p50, summary.mean, summary.smallest, summary.largest) == (2.0, 3.0, 1.0, 6.0)


def test_pass_rate_and_outcomes() -> None:
    runs = [ProgramRun("passed"), ProgramRun("failed", "NameError"), ProgramRun("timeout")]
    assert pass_rate(runs) == pytest.approx(1 / 3)
    assert outcome_counts(runs) == {"passed": 1, "NameError": 1, "timeout": 1}


def test_white_space_at_the_end_is_no_mismatch() -> None:
    task = TOY_TASKS[0]
    same = text_scores([task], [Completion(task.canonical_solution.rstrip())])
    assert same == {"exact_match": 1.0, "edit_similarity": 1.0}
    other_indent = text_scores([task], [Completion(task.canonical_solution.strip())])
    assert other_indent["exact_match"] == 0.0


def test_tokens_per_forward_are_those_of_all_requests_together() -> None:
    def completion(num_tokens: int, num_steps: int) -> Completion:
        timings = {"prefill": 2.0, "denoise": 10.0 * num_steps, "total": 2.0 + 10.0 * num_steps}
        result = InfillResult("x", "converged", num_steps, 1, num_tokens, 3, 7, 0.1, timings)
        return Completion("x", timings["total"], result)

    scores = cost_scores([completion(9, 1), completion(1, 4)])
    assert scores["tokens_per_forward"] == 2.0
    assert scores["mean_steps"] == 2.5
    assert scores["timings_ms"]["step"]["p50"] == 10.0
    assert cost_scores([Completion("gold")]) == {}
