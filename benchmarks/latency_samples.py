"""Plays typing sessions to an engine and keeps how long each answer took.

The engine is any function from request to result. Knows nothing of processes or HTTP.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.distribution import Distribution
from benchmarks.infilling_scores import step_milliseconds
from benchmarks.typing_sessions import TypingSession, typed_lengths
from infill_engine.api import InfillRequest, InfillResult

Fill = Callable[[InfillRequest, str], InfillResult]
"""Fills a gap; the second argument names the document."""


@dataclass(frozen=True, slots=True)
class LatencySample:
    """One request: milliseconds as the caller saw them, and the engine's own account."""

    took_ms: float
    result: InfillResult


@dataclass(frozen=True, slots=True)
class SessionSamples:
    """Requests by kind: `cold` the first in a file, `typed` a few characters later in it."""

    cold: list[LatencySample]
    typed: list[LatencySample]


def play(
    sessions: Sequence[TypingSession],
    num_typed: int,
    fill: Fill,
    seed: int,
    on_done: Callable[[], None] = lambda: None,
) -> SessionSamples:
    """Ask once in every file cold, then `num_typed` times with 1 to 5 more characters each."""
    choose = random.Random(seed)
    samples = SessionSamples([], [])
    for session in sessions:
        samples.cold.append(_measure(session, 0, fill, seed))
        for num_chars in typed_lengths(num_typed, choose):
            samples.typed.append(_measure(session, num_chars, fill, seed))
        on_done()
    return samples


def summarize(samples: Sequence[LatencySample]) -> dict[str, Any]:
    """Return the distributions of one kind of request, ready for JSON."""
    results = [sample.result for sample in samples]
    num_steps = sum(result.num_steps for result in results)
    num_tokens = sum(result.num_tokens for result in results)
    num_drafted = sum(result.drafted_tokens for result in results)
    return {
        "completion_ms": Distribution.of([s.took_ms for s in samples]).to_dict(),
        "prefill_ms": Distribution.of([r.timings_ms["prefill"] for r in results]).to_dict(),
        "step_ms": Distribution.of(step_milliseconds(results)).to_dict(),
        "steps": Distribution.of([r.num_steps for r in results]).to_dict(),
        "prefilled_tokens": Distribution.of([r.prefilled_tokens for r in results]).to_dict(),
        "cached_tokens": Distribution.of([r.cached_tokens for r in results]).to_dict(),
        "drafted_share": round(num_drafted / max(1, num_tokens), 4),
        "tokens_per_forward": round((num_tokens - num_drafted) / max(1, num_steps), 3),
    }


def _measure(session: TypingSession, num_chars: int, fill: Fill, seed: int) -> LatencySample:
    request = session.request(num_chars, seed)
    begin_s = time.perf_counter()
    result = fill(request, session.path)
    return LatencySample((time.perf_counter() - begin_s) * 1000.0, result)
