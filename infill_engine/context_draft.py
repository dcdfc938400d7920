"""A draft of the line at the cursor from the same file: what stood behind the same text before.

Code repeats itself, and a small model copies worse than a search does. The engine only takes over
what the model then finds likely (`draft_check.py`); see prompt-lookup decoding for the idea of
drafting from the prompt. Works on text; knows nothing of tokens or models.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_WINDOW_CHARS = 20_000  # searched on each side of the cursor; takes about 0.1 ms
_MAX_MATCHED_CHARS = 64
_MIN_MATCHED_CHARS = 3
_MAX_COPIES = 16  # looked at, of those that do not fit
_SHORT_LINE = 2  # a lone bracket may well stand twice


@dataclass(frozen=True, slots=True)
class ContextDraft:
    """How the line may go on.

    Attributes:
        text: to the end of the line, without the line end; may be empty: the line ends here.
        strength: characters before the cursor, blanks not counted, that agree with those before
            the place it was copied from.
    """

    text: str
    strength: int


def find_context_draft(prefix: str, suffix: str) -> ContextDraft | None:
    """Copy the rest of the line from where the longest end of `prefix` stands a second time.

    Of equally long matches those before the cursor come first, the nearest of them at the front.
    Passed over is what would repeat the line above or below the cursor (right in 1 of 100 cases),
    and, where more code follows the cursor on its line, what does not end with it.
    """
    before, after = prefix[-_WINDOW_CHARS:], suffix[:_WINDOW_CHARS]
    line_start = before.rpartition("\n")[2]
    rest_of_line = suffix.partition("\n")[0].rstrip()
    neighbors = _lines_around(before, after)
    for line, num_matched in islice(_copies(before, after), _MAX_COPIES):
        whole = (line_start + line).strip()
        if line.endswith(rest_of_line) and (len(whole) <= _SHORT_LINE or whole not in neighbors):
            strength = len("".join(before[-num_matched:].split()))
            return ContextDraft(line.removesuffix(rest_of_line), strength)
    return None


def _copies(before: str, after: str) -> Iterator[tuple[str, int]]:
    """Yield rests of lines behind copies of the end of `before`, best first, and its length."""
    earlier = before[:-1]  # a match must leave something behind it to copy
    num_matched = max(_longest_match(before, earlier), _longest_match(before, after))
    while num_matched >= _MIN_MATCHED_CHARS:
        matched = before[-num_matched:]
        begin = earlier.rfind(matched)
        while begin >= 0:
            yield _rest_of_line(before, begin + num_matched), num_matched
            begin = earlier.rfind(matched, 0, begin + num_matched - 1)
        begin = after.find(matched)
        while begin >= 0:
            yield _rest_of_line(after, begin + num_matched), num_matched
            begin = after.find(matched, begin + 1)
        num_matched = num_matched * 3 // 4


def _rest_of_line(text: str, begin: int) -> str:
    end = text.find("\n", begin)
    return text[begin : len(text) if end < 0 else end].rstrip()


def _lines_around(before: str, after: str) -> set[str]:
    """The nearest lines above and below the cursor's own that are not blank, stripped."""
    above = (line.strip() for line in reversed(before.split("\n")[:-1]))
    below = (line.strip() for line in after.split("\n")[1:])
    return {next(filter(None, lines), "") for lines in (above, below)}


def _longest_match(prefix: str, text: str) -> int:
    """Length of the longest end of `prefix`, within limits, that stands in `text`."""
    shortest, longest = 0, min(len(prefix), _MAX_MATCHED_CHARS)
    while shortest < longest:  # an end that stands there has all its shorter ends there too
        length = (shortest + longest + 1) // 2
        if prefix[-length:] in text:
            shortest = length
        else:
            longest = length - 1
    return shortest
