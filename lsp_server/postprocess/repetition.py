"""Rule against repetition loops, which small models fall into: the first round is enough.

Works on tokens of text (words, signs, line ends), not on the model's. Linear in the middle's
length times the longest period that fits.
"""

import re

from lsp_server.postprocess.gap import Gap

_TOKEN = re.compile(r"\w+|\n|([^\w\s])\1*")
_MIN_ROUNDS = 3
_MIN_TOKENS = 8
"""`x, x, x` is code; `x, x, x, x, ` that never ends is not."""
_SEPARATORS = frozenset({"\n", ",", ";"})


def cut_repetition_loop(middle: str, gap: Gap) -> str:
    """Stop after the first round when the end of the middle goes round in a circle.

    A circle is three rounds or more of the same tokens, the last one perhaps unfinished, up to the
    end: a list that is closed again is no loop. Three equal lines in a row are one wherever they
    stand.
    """
    middle = _cut_equal_lines(middle, gap)
    found = list(_TOKEN.finditer(middle))
    tokens = [match.group() for match in found]
    for period in range(1, len(tokens) // _MIN_ROUNDS + 1):
        start = _start_of_circle(tokens, period)
        if len(tokens) - start < max(_MIN_ROUNDS * period, _MIN_TOKENS):
            continue
        if not any(char.isalnum() for token in tokens[start : start + period] for char in token):
            continue
        return middle[: found[_aligned(tokens, start, period) + period - 1].end()]
    return middle


def _start_of_circle(tokens: list[str], period: int) -> int:
    """Return where the part of `tokens` begins that repeats itself every `period` up to the end."""
    start = len(tokens)
    while start > period and tokens[start - 1] == tokens[start - 1 - period]:
        start -= 1
    return start - period


def _aligned(tokens: list[str], start: int, period: int) -> int:
    """Move the start of the circle to where a line or an item of a list begins, if one does."""
    for separators in (frozenset({"\n"}), _SEPARATORS):
        for moved in range(start, start + period):
            if moved == 0 or tokens[moved - 1] in separators:
                return moved
    return start


def _cut_equal_lines(middle: str, gap: Gap) -> str:
    """Keep the first of three equal lines with a letter, and nothing after it."""
    completed = (gap.line_prefix + middle).split("\n")
    for idx in range(len(completed) - 2):
        first = completed[idx]
        if first == completed[idx + 1] == completed[idx + 2] and any(map(str.isalpha, first)):
            return "\n".join(middle.split("\n")[: idx + 1])
    return middle
