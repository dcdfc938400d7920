"""What is put into the gaps: the engine's text, the solution that stood there, or nothing.

Knows nothing of whether it is right.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from benchmarks.infilling_tasks import InfillingTask
from infill_engine.api import InfillEngine, InfillRequest, InfillResult

CompletionMode = Literal["line", "block"]


@dataclass(frozen=True, slots=True)
class Completion:
    """A gap's text and what it cost; `result` is None when no engine was asked.

    Attributes:
        text: what goes between prompt and suffix.
        took_ms: from request to result.
        result: what the engine says of it.
    """

    text: str
    took_ms: float = 0.0
    result: InfillResult | None = None


def complete_with_engine(
    engine: InfillEngine,
    tasks: Iterable[InfillingTask],
    mode: CompletionMode,
    max_new_tokens: int,
    seed: int,
    on_done: Callable[[], None] = lambda: None,
    least_confidence: float = 0.0,
    infill_at_length_of: Callable[[InfillRequest, str], InfillResult] | None = None,
) -> list[Completion]:
    """Fill every gap once, one after the other.

    Args:
        engine: loaded.
        tasks: the gaps.
        mode: "line" ends with the line, whose newline is then added, as the gap of a whole line
            ends with it; "block" leaves the end to the model.
        max_new_tokens: bound for each.
        seed: of every request.
        on_done: called after each.
        least_confidence: of every request; 0 asks for all of the text.
        infill_at_length_of: fills a gap when told what stood there, instead of `engine`.
    """
    completions = []
    for task in tasks:
        request = InfillRequest(
            prefix=task.prompt,
            suffix=task.suffix,
            language_id="python",
            mode=mode,
            max_new_tokens=max_new_tokens,
            seed=seed,
            least_confidence=least_confidence,
        )
        begin_s = time.perf_counter()
        if infill_at_length_of is not None:
            solution = task.canonical_solution
            middle = solution.removesuffix("\n") if mode == "line" else solution
            result = infill_at_length_of(request, middle)
        else:
            result = engine.infill(request)
        took_ms = (time.perf_counter() - begin_s) * 1000.0
        text = result.text + "\n" if mode == "line" else result.text
        completions.append(Completion(text, took_ms, result))
        on_done()
    return completions
