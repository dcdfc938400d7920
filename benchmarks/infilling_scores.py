"""From completions and outcomes to the numbers that are reported.

Knows nothing of engines, files or processes.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.completions import Completion
from benchmarks.distribution import Distribution
from benchmarks.infilling_tasks import InfillingTask
from benchmarks.program_runner import ProgramRun
from benchmarks.similarity import edit_similarity
from infill_engine.api import InfillResult


def pass_rate(runs: Sequence[ProgramRun]) -> float:
    """Return the share of programs that passed."""
    return sum(run.outcome == "passed" for run in runs) / len(runs)


def text_scores(
    tasks: Sequence[InfillingTask], completions: Sequence[Completion]
) -> dict[str, float]:
    """Compare with what stood in the gaps, white space at the very end aside."""
    pairs = [
        (completion.text.rstrip(), task.canonical_solution.rstrip())
        for task, completion in zip(tasks, completions, strict=True)
    ]
    return {
        "exact_match": sum(ours == theirs for ours, theirs in pairs) / len(pairs),
        "edit_similarity": sum(edit_similarity(*pair) for pair in pairs) / len(pairs),
    }


def outcome_counts(runs: Sequence[ProgramRun]) -> dict[str, int]:
    """Count how the programs ended, exceptions by name, most frequent first."""
    return dict(Counter(run.exception or run.outcome for run in runs).most_common())


def step_milliseconds(results: Sequence[InfillResult]) -> list[float]:
    """Mean milliseconds of a denoising step, for every result that needed any."""
    denoised = [r for r in results if r.num_steps]
    return [r.timings_ms["denoise"] / r.num_steps for r in denoised] or [0.0]


def cost_scores(completions: Sequence[Completion]) -> dict[str, Any]:
    """Steps, tokens and milliseconds; empty when no engine was asked."""
    results = [c.result for c in completions if c.result is not None]
    if not results:
        return {}
    num_steps = sum(result.num_steps for result in results)
    num_tokens = sum(result.num_tokens for result in results)
    num_drafted = sum(result.drafted_tokens for result in results)
    total = Distribution.of([completion.took_ms for completion in completions])
    timings = {
        "completion": total,
        "prefill": Distribution.of([r.timings_ms["prefill"] for r in results]),
        "denoise": Distribution.of([r.timings_ms["denoise"] for r in results]),
        "step": Distribution.of(step_milliseconds(results)),
    }
    return {
        "mean_steps": round(num_steps / len(results), 2),
        "mean_tokens": round(num_tokens / len(results), 2),
        "drafted_share": round(num_drafted / max(1, num_tokens), 4),
        "tokens_per_forward": round((num_tokens - num_drafted) / max(1, num_steps), 3),
        "mean_cached_tokens": round(sum(r.cached_tokens for r in results) / len(results), 1),
        "mean_prefilled_tokens": round(sum(r.prefilled_tokens for r in results) / len(results), 1),
        "finish_reasons": dict(Counter(r.finish_reason for r in results).most_common()),
        "p50_ms": round(total.p50, 2),
        "p95_ms": round(total.p95, 2),
        "timings_ms": {name: timing.to_dict() for name, timing in timings.items()},
    }
