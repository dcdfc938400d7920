"""Cuts a file into prefix, middle and suffix at character offsets, as an editor's cursor would.

Chooses where the gap is; knows nothing of tokens, budgets or files on disk. A cut never loses
text, except for `left_to_right`, whose suffix is empty on purpose.
"""

import math
import random
from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum

from training.syntax_nodes import syntax_node_ranges

_MEDIAN_CHARACTER_SPAN = 24
_SIGMA_CHARACTER_SPAN = 1.2  # of the log: 5 % of the spans exceed about 170 characters
_MAX_SPAN_CHARS = 800  # about 256 tokens
_MAX_LINES = 12
_NODE_WINDOW_CHARS = 4_000  # parsing more than this around a node costs more than it teaches


class SpanKind(IntEnum):
    """How a gap was chosen; stored per example, so the numbers must not change."""

    CHARACTERS = 0  # starts and ends anywhere, also inside a word
    REST_OF_LINE = 1  # from a column inside a line to its end, line end excluded
    WHOLE_LINE = 2  # indentation and line end included (the HumanEval-Infilling form)
    FOLLOWING_LINES = 3  # from a line start or a column to the end of a later line
    SYNTAX_NODE = 4
    LEFT_TO_RIGHT = 5  # like FOLLOWING_LINES with nothing behind the cursor
    EMPTY = 6  # the answer is: insert nothing


SINGLE_LINE_KINDS = frozenset({SpanKind.REST_OF_LINE, SpanKind.WHOLE_LINE})
"""The kinds whose exact match is the headline number: single-line completion."""


@dataclass(frozen=True, slots=True)
class SpanMix:
    """Relative weights of the span kinds."""

    characters: float = 0.20
    rest_of_line: float = 0.25
    whole_line: float = 0.18
    following_lines: float = 0.12
    syntax_node: float = 0.13
    left_to_right: float = 0.10
    empty: float = 0.02

    def weights(self) -> list[float]:
        """Return the weights in the order of SpanKind."""
        return [getattr(self, kind.name.lower()) for kind in SpanKind]


EVALUATION_MIX = SpanMix(
    characters=0.15, rest_of_line=0.35, whole_line=0.30, following_lines=0.10,
    syntax_node=0.10, left_to_right=0.0, empty=0.0,
)  # fmt: skip
"""Mostly single-line gaps, for line exact match on the dev and held-out packages."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A file in three parts; `prefix + middle + suffix` is the file (left_to_right apart)."""

    kind: SpanKind
    prefix: str
    middle: str
    suffix: str


class FileCutter:
    """Draws cuts from one file; keeps line starts and syntax nodes between draws."""

    def __init__(self, text: str, language_id: str) -> None:
        self._text = text
        self._language_id = language_id
        self._line_starts = [0]
        start = text.find("\n")
        while start != -1:
            self._line_starts.append(start + 1)
            start = text.find("\n", start + 1)

    def cut(self, rng: random.Random, mix: SpanMix) -> Cut:
        """Draw a kind by the mix and a gap of that kind.

        A kind that the file cannot give (no syntax node, no line with text) falls back to
        CHARACTERS, which always works.
        """
        kind = rng.choices(list(SpanKind), mix.weights())[0]
        span = self._draw(kind, rng)
        if span is None:
            kind, span = SpanKind.CHARACTERS, self._characters(rng)
        start, end = span
        suffix = "" if kind is SpanKind.LEFT_TO_RIGHT else self._text[end:]
        return Cut(kind, self._text[:start], self._text[start:end], suffix)

    def _draw(self, kind: SpanKind, rng: random.Random) -> tuple[int, int] | None:
        if kind is SpanKind.REST_OF_LINE:
            return self._rest_of_line(rng)
        if kind is SpanKind.WHOLE_LINE:
            return self._whole_line(rng)
        if kind in (SpanKind.FOLLOWING_LINES, SpanKind.LEFT_TO_RIGHT):
            return self._following_lines(rng)
        if kind is SpanKind.SYNTAX_NODE:
            return self._syntax_node(rng)
        if kind is SpanKind.EMPTY:
            return self._empty(rng)
        return self._characters(rng)

    def _characters(self, rng: random.Random) -> tuple[int, int]:
        log_length = rng.gauss(math.log(_MEDIAN_CHARACTER_SPAN), _SIGMA_CHARACTER_SPAN)
        length = min(round(math.exp(log_length)), _MAX_SPAN_CHARS, len(self._text))
        start = rng.randint(0, len(self._text) - length)
        return start, start + length

    def _line(self, idx: int) -> tuple[int, int]:
        """Return a line's (start, end), its line end excluded."""
        is_last = idx + 1 >= len(self._line_starts)
        end = len(self._text) if is_last else self._line_starts[idx + 1] - 1
        return self._line_starts[idx], end

    def _line_with_text(self, rng: random.Random) -> int | None:
        for _ in range(20):
            idx = rng.randrange(len(self._line_starts))
            start, end = self._line(idx)
            if self._text[start:end].strip():
                return idx
        return None

    def _first_text(self, start: int, end: int) -> int:
        line = self._text[start:end]
        return start + len(line) - len(line.lstrip())

    def _column(self, start: int, end: int, rng: random.Random) -> int:
        """Draw a cursor in a line: behind the indentation, at a word's end, or anywhere."""
        first = self._first_text(start, end)
        choice = rng.random()
        if choice < 0.35:
            return first
        column = rng.randint(first, end - 1)
        if choice < 0.75:
            # People pause behind a word, a dot, a bracket or a blank rather than inside a word.
            while (
                column > first and self._text[column - 1].isalnum() and self._text[column].isalnum()
            ):
                column -= 1
        return column

    def _rest_of_line(self, rng: random.Random) -> tuple[int, int] | None:
        idx = self._line_with_text(rng)
        if idx is None:
            return None
        start, end = self._line(idx)
        return self._column(start, end, rng), end

    def _whole_line(self, rng: random.Random) -> tuple[int, int] | None:
        idx = self._line_with_text(rng)
        if idx is None or idx + 1 >= len(self._line_starts):
            return None
        return self._line_starts[idx], self._line_starts[idx + 1]

    def _following_lines(self, rng: random.Random) -> tuple[int, int] | None:
        idx = self._line_with_text(rng)
        if idx is None:
            return None
        num_lines = min(2 + int(rng.expovariate(0.5)), _MAX_LINES)
        last = min(idx + num_lines - 1, len(self._line_starts) - 1)
        start, end = self._line(idx)
        last_end = self._line(last)[1]
        if rng.random() < 0.5:
            # The form of multi-line benchmarks: whole lines, the last line end included.
            return start, min(last_end + 1, len(self._text))
        return self._column(start, end, rng), last_end

    def _syntax_node(self, rng: random.Random) -> tuple[int, int] | None:
        at = rng.randrange(len(self._text))
        low = self._line_starts[
            bisect_right(self._line_starts, max(0, at - _NODE_WINDOW_CHARS // 2)) - 1
        ]
        window = self._text[low : low + _NODE_WINDOW_CHARS]
        ranges = syntax_node_ranges(window, self._language_id)
        if not ranges:
            return None
        # Leaves outnumber everything else: draw a length first, then the node nearest to it.
        wanted = math.exp(rng.gauss(math.log(40), 1.0))
        near = rng.sample(ranges, min(len(ranges), 12))
        start, end = min(near, key=lambda r: abs(math.log((r[1] - r[0]) / wanted)))
        return low + start, low + end

    def _empty(self, rng: random.Random) -> tuple[int, int] | None:
        idx = self._line_with_text(rng)
        if idx is None:
            return None
        end = self._line(idx)[1]
        return end, end
