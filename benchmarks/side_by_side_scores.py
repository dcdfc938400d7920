"""From two sides' answers to the numbers that are reported of each, and their ratios.

Knows nothing of engines, files or processes.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from benchmarks.completions import Completion
from benchmarks.distribution import Distribution
from benchmarks.infilling_scores import cost_scores, outcome_counts, pass_rate, text_scores
from benchmarks.infilling_tasks import InfillingTask
from benchmarks.llama_cpp_process import Written
from benchmarks.program_runner import ProgramRun
from benchmarks.side_by_side import OurAnswers, TheirAnswers
from infill_engine.api import InfillResult
from lsp_server.postprocess import clean_middle
from lsp_server.suggestion import without_broken_word

Answers = Sequence[tuple[OurAnswers, TheirAnswers]]
_T = TypeVar("_T")


def as_completion(written: Written) -> Completion:
    """The line with its newline, as our line mode completes a line."""
    return Completion(written.line + "\n", written.line_ms)


def our_scores(
    tasks: Sequence[InfillingTask],
    answers: Sequence[OurAnswers],
    runs: Sequence[ProgramRun],
    least_confidence: float,
) -> dict[str, Any]:
    """Quality, milliseconds and tokens of our engine; `runs` are of the warm completions."""
    warm = [answer.warm for answer in answers]
    written_out = [c.took_ms for c in warm if _of(c).finish_reason != "unsure"]
    return {
        **_quality(tasks, warm, runs),
        "cold_ms": _distribution(answers, lambda answer: answer.cold.took_ms),
        "warm_ms": _distribution(answers, lambda answer: answer.warm.took_ms),
        "warm_written_out_ms": Distribution.of(written_out).to_dict() if written_out else None,
        "warm_typing_ms": _distribution(answers, lambda answer: answer.typing.took_ms),
        "line_tokens": _distribution(answers, lambda answer: _of(answer.warm).num_tokens),
        "cold_evaluated_tokens": _distribution(answers, lambda a: _of(a.cold).prefilled_tokens),
        "warm_evaluated_tokens": _distribution(answers, lambda a: _of(a.warm).prefilled_tokens),
        "shown": shown_scores(tasks, [answer.typing for answer in answers], least_confidence),
        "warm": cost_scores(warm),
    }


def their_scores(
    tasks: Sequence[InfillingTask], answers: Sequence[TheirAnswers], runs: Sequence[ProgramRun]
) -> dict[str, Any]:
    """The same of llama.cpp, whose time has two ends: of the line, and of the fixed tokens."""
    return {
        **_quality(tasks, [as_completion(answer.warm) for answer in answers], runs),
        "cold_first_token_ms": _distribution(answers, lambda answer: answer.cold.first_ms),
        "cold_line_ms": _distribution(answers, lambda answer: answer.cold.line_ms),
        "cold_fixed_tokens_ms": _distribution(answers, lambda answer: answer.cold.fixed_ms),
        "warm_first_token_ms": _distribution(answers, lambda answer: answer.warm.first_ms),
        "warm_line_ms": _distribution(answers, lambda answer: answer.warm.line_ms),
        "warm_fixed_tokens_ms": _distribution(answers, lambda answer: answer.warm.fixed_ms),
        "line_tokens": _distribution(answers, lambda answer: answer.warm.line_tokens),
        "cold_evaluated_tokens": _distribution(answers, lambda a: a.cold.evaluated_tokens),
        "warm_evaluated_tokens": _distribution(answers, lambda a: a.warm.evaluated_tokens),
    }


def shown_scores(
    tasks: Sequence[InfillingTask], completions: Sequence[Completion], least_confidence: float
) -> dict[str, Any]:
    """What an editor draws while one types: in how many gaps, how often all right, how long."""
    lengths: list[int] = []
    num_right = 0
    for task, completion in zip(tasks, completions, strict=True):
        shown = shown_text(task, _of(completion), least_confidence)
        if shown:
            lengths.append(len(shown))
            num_right += task.canonical_solution.startswith(shown)
    count = max(1, len(lengths))
    return {
        "least_confidence": least_confidence,
        "share": round(len(lengths) / len(tasks), 4),
        "all_right": round(num_right / count, 4),
        "mean_chars": round(sum(lengths) / count, 2),
    }


def shown_text(task: InfillingTask, result: InfillResult, least_confidence: float) -> str:
    """The part of a result that the language server shows.

    The gap is a whole line: in an editor its newline stands behind the cursor.
    """
    sure = without_broken_word(result.text, result.num_trusted_chars(least_confidence))
    return clean_middle(sure, task.prompt, "\n" + task.suffix, "line")


def ratios(answers: Answers) -> dict[str, dict[str, float]]:
    """How many times as long llama.cpp takes: by the middles, and the middle of all gaps' ratios.

    Ours is always one line, cold or warm; theirs the line, or the fixed number of tokens.
    """
    pairs: dict[str, Callable[[OurAnswers, TheirAnswers], tuple[float, float]]] = {
        "cold_line": lambda ours, theirs: (theirs.cold.line_ms, ours.cold.took_ms),
        "cold_fixed_tokens": lambda ours, theirs: (theirs.cold.fixed_ms, ours.cold.took_ms),
        "warm_line": lambda ours, theirs: (theirs.warm.line_ms, ours.warm.took_ms),
        "warm_fixed_tokens": lambda ours, theirs: (theirs.warm.fixed_ms, ours.warm.took_ms),
    }
    return {name: _ratio([pair(*both) for both in answers]) for name, pair in pairs.items()}


def _ratio(pairs: Sequence[tuple[float, float]]) -> dict[str, float]:
    theirs, ours = (Distribution.of(side) for side in zip(*pairs, strict=True))
    per_gap = Distribution.of([their_ms / our_ms for their_ms, our_ms in pairs])
    return {"of_p50": round(theirs.p50 / ours.p50, 3), "per_gap_p50": round(per_gap.p50, 3)}


def _quality(
    tasks: Sequence[InfillingTask], completions: Sequence[Completion], runs: Sequence[ProgramRun]
) -> dict[str, Any]:
    return {
        "pass_at_1": round(pass_rate(runs), 4),
        **{name: round(score, 4) for name, score in text_scores(tasks, completions).items()},
        "outcomes": outcome_counts(runs),
    }


def _distribution(answers: Sequence[_T], value: Callable[[_T], float]) -> dict[str, Any]:
    return Distribution.of([value(answer) for answer in answers]).to_dict()


def _of(completion: Completion) -> InfillResult:
    assert completion.result is not None
    return completion.result
