"""When developers who type ask an engine, and how much work their requests are: recorded here.

The pauses are those of the recorded typist of `benchmarks.lsp`, of whose keys the language server
sends the measured share to an engine; steps and tokens are those that the engine reports for
places in real files. Knows nothing of replicas or of time on other machines.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.lsp_typing import keystrokes
from benchmarks.typing_sessions import typing_sessions
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.tokenizer import Tokenizer

REQUESTS_PER_KEY = 118 / 425
"""Of the recorded session in benchmarks/results/lsp.txt: the others are answered from memory."""
_TYPED_CHARS = (0, 3, 5)


@dataclass(frozen=True, slots=True)
class Work:
    """What one request asked of an engine.

    Attributes:
        num_steps: denoising steps.
        num_prompt_tokens: prefilled where nothing is cached.
        num_new_tokens: prefilled where the document's prompt is.
        step_ms: mean time of a step here; 0 where there was none.
        prefill_ms_per_token: mean, of a whole prompt.
    """

    num_steps: int
    num_prompt_tokens: int
    num_new_tokens: int
    step_ms: float
    prefill_ms_per_token: float


def record_work(num_places: int, context_tokens: int, seed: int) -> list[Work]:
    """Let the embedded model fill lines that are being typed in real files, one user alone.

    Each place is asked at for three lengths of the line: first with nothing cached, then again.
    """
    config = EngineConfig()
    engine = Engine.load(config)
    sessions = typing_sessions(
        num_places, context_tokens, Tokenizer.from_folder(config.folder), seed
    )
    works: list[Work] = []
    for session in sessions:
        results = [engine.infill(session.request(num, seed)) for num in _TYPED_CHARS]
        first = results[0]
        num_prompt = first.cached_tokens + first.prefilled_tokens
        per_token_ms = first.timings_ms.get("prefill", 0.0) / max(1, first.prefilled_tokens)
        for result in results[1:]:
            denoise_ms = result.timings_ms["total"] - sum(
                result.timings_ms.get(name, 0.0) for name in ("prefill", "draft")
            )
            works.append(
                Work(
                    result.num_steps,
                    num_prompt,
                    result.prefilled_tokens,
                    denoise_ms / result.num_steps if result.num_steps else 0.0,
                    per_token_ms,
                )
            )
    return works


def pauses_s(seed: int) -> Iterator[float]:
    """Yield seconds from one request to the next of one developer who types without end."""
    pick = random.Random(seed)
    waited_s = 0.0
    for repetition in itertools.count():
        for key in keystrokes(_TYPED_TEXT, seed + repetition):
            waited_s += key.wait_s
            if pick.random() < REQUESTS_PER_KEY:
                yield waited_s
                waited_s = 0.0


def mean_requests_per_s(seed: int, num: int = 2000) -> float:
    """Requests a second of one developer who types."""
    return num / sum(itertools.islice(pauses_s(seed), num))


def choose(works: Sequence[Work], pick: random.Random) -> Work:
    """One of the recorded requests."""
    return works[int(pick.random() * len(works))]


_TYPED_TEXT = '''def read_settings(path):
    """Return the settings, or the defaults where there is no file."""
    if not path.exists():
        return Settings()
    values = json.loads(path.read_text(encoding="utf-8"))
    return Settings(**{name: values[name] for name in KNOWN if name in values})
'''
