"""Rules against repeating lines that stand right above or below the cursor, or what was typed.

Compares text only; what counts as the same line is written at each rule.
"""

import re

from lsp_server.postprocess.brackets import find_unmatched
from lsp_server.postprocess.gap import Gap, indent_of

_MIN_TYPED_CHARS = 5
_MIN_WORD_CHARS = 3
_MIN_REPEATED_CHARS = 8
_MIN_LINE_CHARS = 12  # a line this long that comes again is no accident, as `return x` may be
_BLOCK_END = re.compile(r"[\])};,]+|end|fi|done|esac|</[\w.:-]+>")
_BRACKETS_END = re.compile(r"[\])}][\])};,]*")
_COMMENT = re.compile(r"#|//|/\*|\*|--|;")
_WORD_AT_END = re.compile(r"\b[^\W\d]\w*\Z")


def drop_typed_text(middle: str, gap: Gap) -> str:
    """Drop from the start what stands before the cursor: `return a` after `    return `.

    Either the whole line so far, when it has two words or is one word and a blank (`foo(foo(` is
    code), or the word that the cursor stands behind.
    """
    typed = gap.line_prefix.strip()
    written = middle.lstrip()
    num_words = len(re.findall(r"\w+", typed))
    is_statement = num_words >= 2 or (typed.isalpha() and not gap.line_prefix.endswith(typed))
    if len(typed) >= _MIN_TYPED_CHARS and is_statement and written.startswith(typed):
        rest = written[len(typed) :]
        return rest if gap.line_prefix.endswith(typed) else rest.lstrip(" \t")
    word = _WORD_AT_END.search(gap.line_prefix)
    if word and len(word.group()) >= _MIN_WORD_CHARS and middle.startswith(word.group()):
        return middle[len(word.group()) :]
    return middle


def drop_repeated_previous_lines(middle: str, gap: Gap) -> str:
    """Show nothing that begins by repeating the lines right above, with their indentation.

    Rows of numbers, closers and single short lines (`NULL,`) do not count: they may come twice.
    """
    if not gap.is_at_line_end:
        return middle
    written = _completed_lines(middle, gap)
    for num_lines in range(min(len(written), len(gap.lines_above)), 0, -1):
        repeated = written[:num_lines]
        has_letter = any(char.isalpha() for line in repeated for char in line)
        is_long = num_lines > 1 or len(repeated[0].strip()) >= _MIN_REPEATED_CHARS
        if has_letter and is_long and repeated == gap.lines_above[-num_lines:]:
            return ""
    return middle


def drop_repeated_next_lines(middle: str, gap: Gap) -> str:
    """Drop whole lines from the end that stand right below the cursor already.

    Lines are compared with their indentation: a `}` one level further in is another one. Only a
    single line with a letter in it is compared without: no one wants `return a` twice.
    """
    if not gap.is_at_line_end or gap.lines_above[-1:] == gap.lines_below[:1]:
        # Equal lines above and below: there the document repeats itself, and may go on to.
        return middle
    raw = (gap.line_prefix + middle).rstrip().split("\n")
    written = [(idx, line.rstrip()) for idx, line in enumerate(raw) if line.strip()]
    for num_lines in range(min(len(written), len(gap.lines_below)), 0, -1):
        tail = written[-num_lines:]
        if [line for _, line in tail] == gap.lines_below[:num_lines]:
            kept = "\n".join(raw[: tail[0][0]])
            return kept[len(gap.line_prefix) :].rstrip()
    if len(written) == 1 and gap.lines_below:
        line = written[0][1].strip()
        has_letter = any(char.isalpha() for char in line) and not _BLOCK_END.fullmatch(line)
        if has_letter and line == gap.lines_below[0].strip():
            return ""
    return middle


def cut_at_next_line(middle: str, gap: Gap) -> str:
    """Stop before a line of some length that is the next one below: the rest would come twice.

    Unless that line stands elsewhere near as well: a test may say `assert.Nil(t, err)` ten times.
    """
    if not gap.is_at_line_end or not gap.lines_below:
        return middle
    next_line = gap.lines_below[0]
    if _COMMENT.match(next_line.strip()):
        return middle
    lines = middle.split("\n")
    first = (_completed_lines(middle, gap) or [""])[0]
    if len(next_line.strip()) < _MIN_LINE_CHARS or indent_of(next_line) != indent_of(first):
        return middle
    if next_line in gap.lines_above or next_line in gap.lines_below[1:]:
        return middle
    for idx, line in enumerate(lines[1:], start=1):
        if line.rstrip() == next_line:
            return "\n".join(lines[:idx]).rstrip()
    return middle


def drop_repeated_block_end(middle: str, gap: Gap) -> str:
    """Drop a last line of brackets that closes the block when the next line closes it already.

    With another indentation too, if the middle did not open what that line closes and the next
    line is less indented than the cursor's. Of an `end` no one knows what it ends.
    """
    head, _, last_line = middle.rstrip().rpartition("\n")
    if not head or not gap.is_at_line_end or not gap.lines_below:
        return middle
    next_line = gap.lines_below[0]
    closing = last_line.strip()
    if closing != next_line.strip() or not _BRACKETS_END.fullmatch(closing):
        return middle
    first_written = gap.line_prefix + middle
    is_outside = len(indent_of(next_line)) < len(indent_of(first_written))
    num_before = len(find_unmatched(gap.line_prefix + head, gap.language_id).closers)
    closers = find_unmatched(first_written, gap.language_id).closers
    is_own = len(closers) == num_before
    return head if is_outside and not is_own else middle


def _completed_lines(middle: str, gap: Gap) -> list[str]:
    lines = (gap.line_prefix + middle).split("\n")
    return [line.rstrip() for line in lines if line.strip()]
