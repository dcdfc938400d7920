"""A draft of the line at the cursor from the same file: what stood behind the same text before.

Code repeats itself, and a small model copies worse than a search does. The engine only takes over
what the model then finds likely (`draft_check.py`); see prompt-lookup decoding for the idea of
drafting from the prompt. Works on text; knows nothing of tokens or models.
"""

from dataclasses import dataclass

_WINDOW_CHARS = 20_000  # searched on each side of the cursor; takes about 0.1 ms
_MAX_MATCHED_CHARS = 64
_MIN_MATCHED_CHARS = 3


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

    Of equally long matches the one before the cursor wins, and of those the nearest. Where more
    code follows the cursor on its line, only a copy that ends with it fits, and ends before it.
    """
    before, after = prefix[-_WINDOW_CHARS:], suffix[:_WINDOW_CHARS]
    earlier = before[:-1]  # a match must leave something behind it to copy
    in_prefix, in_suffix = _longest_match(before, earlier), _longest_match(before, after)
    num_matched = max(in_prefix, in_suffix)
    if num_matched < _MIN_MATCHED_CHARS:
        return None
    matched = before[-num_matched:]
    if in_prefix >= in_suffix:
        source, begin = before, earlier.rfind(matched)
    else:
        source, begin = after, after.find(matched)
    line = source[begin + num_matched :].partition("\n")[0].rstrip()
    rest_of_line = suffix.partition("\n")[0].rstrip()
    if not line.endswith(rest_of_line):
        return None
    return ContextDraft(line.removesuffix(rest_of_line), len("".join(matched.split())))


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
