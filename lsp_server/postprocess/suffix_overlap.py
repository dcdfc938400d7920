"""Rules against repeating what follows the cursor on its own line, whole or in part.

What stands on the lines below is for repeated_lines.py, save where both are repeated at once.
"""

import re

from lsp_server.postprocess.brackets import OPENER_OF, find_unmatched
from lsp_server.postprocess.gap import Gap

_OPERATORS_AT_END = re.compile(r"[-+*/%=<>&|^!?.]+\s*\Z")
_OPERATORS_AT_START = re.compile(r"\s*([-+*/%=<>&|^!?.]+)")


def drop_repeated_rest_and_lines(middle: str, gap: Gap) -> str:
    """Drop from the end the rest of the line with lines below it, both repeated at once."""
    if gap.is_at_line_end or "\n" not in middle:
        return middle
    written = [line.rstrip() for line in middle.rstrip().split("\n")]
    most = min(len(written), 1 + len(gap.lines_below))
    rest = gap.rest_of_line.rstrip()
    for num_lines in range(most, 1, -1):
        first = written[-num_lines]
        if written[1 - num_lines :] == gap.lines_below[: num_lines - 1] and first.endswith(rest):
            kept = middle.split("\n")[: len(written) - num_lines]
            return "\n".join([*kept, first[: len(first) - len(rest)]])
    return middle


def drop_repeated_rest_of_line(middle: str, gap: Gap) -> str:
    """Drop from the end what already follows the cursor on its line, or what that begins with.

    `a, b)` before `b)`, and `a, b` before `b, c)`. The whole rest counts if there is a word in it,
    or, as `) {`, more than closers that the middle has not opened itself; a part of it in whole
    words and operators only: `xy` before `y` shares nothing.
    """
    if gap.is_at_line_end:
        return middle
    rest = gap.rest_of_line
    written = middle.rstrip()
    if written.endswith(rest.strip()):
        kept = written[: -len(rest.strip())]
        if _is_worth_dropping(rest, kept, gap):
            return kept
    last_line = middle[middle.rfind("\n") + 1 :]
    for num_chars in range(min(len(last_line), len(rest)), 0, -1):
        overlap = rest[:num_chars]
        if not last_line.endswith(overlap) or len(overlap.strip()) < 2:
            continue
        start = len(middle) - num_chars
        has_word = any(char.isalnum() for char in overlap)
        if has_word and not _splits_word(middle, start) and not _splits_word(rest, num_chars):
            return middle[:start]
    return _without_doubled_operator(middle, rest)


def _is_worth_dropping(rest: str, kept: str, gap: Gap) -> bool:
    if any(char.isalnum() for char in rest):
        return True
    opened = find_unmatched(kept, gap.language_id).openers
    is_own = any(OPENER_OF[char] in opened for char in rest if char in OPENER_OF)
    return any(char in "([{" for char in rest) and not is_own


def drop_if_it_follows(middle: str, gap: Gap) -> str:
    """Show nothing that the rest of the line begins with: `name` before `name = 1`."""
    written = middle.strip()
    rest = gap.rest_of_line.strip()
    is_there = bool(written) and rest.startswith(written) and not _splits_word(rest, len(written))
    # A closer between closers, and a blank or a sign, may well be what is missing.
    return "" if is_there and any(char.isalnum() for char in written) else middle


def _splits_word(text: str, offset: int) -> bool:
    """Say whether `offset` lies inside a word of `text`."""
    return 0 < offset < len(text) and _is_word(text[offset - 1]) and _is_word(text[offset])


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _without_doubled_operator(middle: str, rest: str) -> str:
    """Drop an operator from the end that the rest of the line begins with: `a +` before ` + b`."""
    at_end = _OPERATORS_AT_END.search(middle)
    at_start = _OPERATORS_AT_START.match(rest)
    if at_end and at_start and at_end.group().strip() == at_start.group(1):
        return middle[: at_end.start()]
    return middle
