"""Gaps of real files, filled by the engine itself and compared with what stood there.

What tuning and calibration measure on. Knows nothing of what is done with the outcome.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from infill_engine.api import InfillRequest, InfillResult, InfillUpdate, Mode
from infill_engine.engine import Engine
from training.examples import SourceFile
from training.spans import Cut, FileCutter, SpanMix

_REST_OF_LINE = SpanMix(0, 1, 0, 0, 0, 0, 0)
_FOLLOWING_LINES = SpanMix(0, 0, 0, 1, 0, 0, 0)
_SIDE_CHARS = 20_000
_MAX_NEW_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Gap:
    """A request, and what stood there."""

    request: InfillRequest
    wanted: str


@dataclass(frozen=True, slots=True)
class Guess:
    """One filled gap.

    Attributes:
        result: what the engine answered.
        entropies: nats of each token, of answers that need one canvas only.
        num_right_chars: leading characters of its text that stand in the source too.
        is_exact: whether all of it is right.
    """

    result: InfillResult
    entropies: tuple[float, ...]
    num_right_chars: int
    is_exact: bool

    def tokens(self) -> Iterator[tuple[float, bool]]:
        """Entropy and rightness of every token up to the first wrong one."""
        for entropy, (end, _) in zip(self.entropies, self.result.leading_confidence, strict=False):
            yield entropy, end <= self.num_right_chars
            if end > self.num_right_chars:
                return


def gaps(files: list[SourceFile], count: int, seed: int) -> Iterator[Gap]:
    """Yield rest-of-line gaps, the same for the same seed, each file as likely as any other."""
    for file, cut in _cuts(files, count, seed, _REST_OF_LINE, takes_lines=False):
        yield Gap(_request(file, cut, "line"), cut.middle)


def gaps_of_lines(files: list[SourceFile], count: int, seed: int) -> Iterator[Gap]:
    """Yield gaps of several lines, likewise."""
    for file, cut in _cuts(files, count, seed, _FOLLOWING_LINES, takes_lines=True):
        yield Gap(_request(file, cut, "block"), cut.middle)


def _cuts(
    files: list[SourceFile], count: int, seed: int, mix: SpanMix, takes_lines: bool
) -> Iterator[tuple[SourceFile, Cut]]:
    rng = random.Random(seed)
    num_found = 0
    while num_found < count:
        file = rng.choice(files)
        cut = FileCutter(file.text, file.language).cut(rng, mix)
        text = cut.middle.strip() if takes_lines else cut.middle
        if text.strip() and ("\n" in text) == takes_lines:
            num_found += 1
            yield file, cut


def _request(file: SourceFile, cut: Cut, mode: Mode) -> InfillRequest:
    return InfillRequest(
        cut.prefix[-_SIDE_CHARS:],
        cut.suffix[:_SIDE_CHARS],
        file.language,
        file.path,
        mode=mode,
        max_new_tokens=_MAX_NEW_TOKENS,
    )


def guess(engine: Engine, gap: Gap) -> Guess:
    """Fill one gap."""
    entropies: tuple[float, ...] = ()
    result: InfillResult | None = None
    for event in engine.stream(gap.request):
        if isinstance(event, InfillUpdate):
            entropies = event.token_entropies
        else:
            result = event
    assert result is not None
    return _compare(gap, result, entropies if result.num_canvases == 1 else ())


def guess_at_right_length(engine: Engine, gap: Gap) -> Guess:
    """Fill one gap with as many tokens as the source has there."""
    return _compare(gap, engine.infill_at_length_of(gap.request, gap.wanted), ())


def _compare(gap: Gap, result: InfillResult, entropies: tuple[float, ...]) -> Guess:
    num_right = _num_common_chars(result.text, gap.wanted)
    return Guess(result, entropies, num_right, result.text == gap.wanted)


def _num_common_chars(text: str, other: str) -> int:
    num_chars = 0
    while num_chars < min(len(text), len(other)) and text[num_chars] == other[num_chars]:
        num_chars += 1
    return num_chars


def summary(label: str, guesses: list[Guess]) -> str:
    """One printable line: what is right and what it cost."""
    count = max(len(guesses), 1)
    exact = sum(one.is_exact for one in guesses) / count
    right_chars = sum(one.num_right_chars for one in guesses) / count
    steps = sum(one.result.num_steps for one in guesses) / count
    p50, p95 = np.percentile([one.result.timings_ms["total"] for one in guesses], [50, 95])
    return (
        f"{label}: exact match {exact:.1%}, {right_chars:.1f} right characters, {steps:.1f} steps, "
        f"{p50:.0f} / {p95:.0f} ms (p50 / p95), of {len(guesses)}"
    )
