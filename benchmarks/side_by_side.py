"""Asks our engine and llama.cpp for the same gaps, one gap after the other.

Both get a gap at the same moment of a noisy machine, by turns first and second, and both answer it
cold, then warm: when all but the last characters before the cursor have been read already, as they
have when an editor asks at every keystroke. Knows nothing of what is right.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from benchmarks.completions import Completion, complete_with_engine
from benchmarks.infilling_tasks import InfillingTask
from benchmarks.llama_cpp_process import Written
from infill_engine.api import InfillEngine

NUM_NEW_CHARS = 3
"""Characters typed since the last request: the mean of what the latency benchmark types."""
FIXED_TOKENS = 32
"""Tokens that llama.cpp writes whatever they hold."""
_WARM_UP = InfillingTask("", "", "def add(one, other):\n", "\n", "    return one + other\n", "")


class CausalWriter(Protocol):
    """What is asked of llama.cpp; see `llama_cpp_process.LlamaCpp`."""

    def read(self, prompt: str) -> None:
        """Bring the KV cache to a prompt."""
        ...

    def write(
        self, prompt: str, fixed_tokens: int, most_tokens: int, is_cold: bool = False
    ) -> Written:
        """Write behind a prompt."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What both are asked.

    Attributes:
        most_tokens: of a line.
        least_confidence: of our requests while typing; the others ask for all of the line.
        seed: of every request of ours; llama.cpp decodes greedily.
    """

    most_tokens: int
    least_confidence: float
    seed: int


@dataclass(frozen=True, slots=True)
class OurAnswers:
    """One gap, filled by our engine: `cold` and `warm` whole lines, `typing` the sure part."""

    cold: Completion
    warm: Completion
    typing: Completion


@dataclass(frozen=True, slots=True)
class TheirAnswers:
    """The same gap, filled by llama.cpp from the text before it."""

    cold: Written
    warm: Written


def choose_gaps(tasks: Sequence[InfillingTask], count: int, seed: int) -> list[InfillingTask]:
    """Return `count` of the tasks, or all, in an order of chance; fewer are the first of more."""
    shuffled = list(tasks)
    random.Random(seed).shuffle(shuffled)
    return shuffled[:count]


def answer_all(
    engine: InfillEngine,
    llama_cpp: CausalWriter,
    tasks: Sequence[InfillingTask],
    asked: Asked,
    on_done: Callable[[], None] = lambda: None,
) -> list[tuple[OurAnswers, TheirAnswers]]:
    """Let both fill every gap; the very first requests, on a gap of their own, count for nothing.

    Args:
        engine: loaded.
        llama_cpp: running.
        tasks: the gaps.
        asked: limits and seed.
        on_done: called after each gap.
    """
    _ask_ours(engine, _WARM_UP, asked)
    _ask_theirs(llama_cpp, _WARM_UP, asked)
    answers: list[tuple[OurAnswers, TheirAnswers]] = []
    for task_idx, task in enumerate(tasks):
        if task_idx % 2 == 0:
            ours = _ask_ours(engine, task, asked)
            theirs = _ask_theirs(llama_cpp, task, asked)
        else:
            theirs = _ask_theirs(llama_cpp, task, asked)
            ours = _ask_ours(engine, task, asked)
        answers.append((ours, theirs))
        on_done()
    return answers


def _ask_ours(engine: InfillEngine, task: InfillingTask, asked: Asked) -> OurAnswers:
    def ask(task: InfillingTask, least_confidence: float = 0.0) -> Completion:
        (completion,) = complete_with_engine(
            engine,
            [task],
            "line",
            asked.most_tokens,
            asked.seed,
            least_confidence=least_confidence,
        )
        return completion

    before = replace(task, prompt=_before_typing(task.prompt))
    cold = ask(task)
    ask(before)
    warm = ask(task)
    ask(before)
    return OurAnswers(cold, warm, ask(task, asked.least_confidence))


def _ask_theirs(llama_cpp: CausalWriter, task: InfillingTask, asked: Asked) -> TheirAnswers:
    def ask(is_cold: bool) -> Written:
        return llama_cpp.write(task.prompt, FIXED_TOKENS, asked.most_tokens, is_cold)

    cold = ask(is_cold=True)
    llama_cpp.read(_before_typing(task.prompt))
    return TheirAnswers(cold, ask(is_cold=False))


def _before_typing(prompt: str) -> str:
    return prompt[:-NUM_NEW_CHARS]
