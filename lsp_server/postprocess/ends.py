"""Rules on where a middle ends: undecodable bytes, the end of a line, blanks at the end.

Knows the gap's two sides only as far as its own line goes.
"""

import re

from lsp_server.postprocess.gap import Gap

_BLANKS_AT_LINE_END = re.compile(r"[ \t]+(?=\n)")
_BLANKS_MEAN_SOMETHING = frozenset({"markdown", "diff", "git-commit"})
"""Languages in which two blanks at a line's end, or one on an empty line, are content."""


def cut_at_undecodable(middle: str, gap: Gap) -> str:
    """Stop before U+FFFD or NUL: the model wrote bytes that are no text."""
    return re.split("[\ufffd\0]", middle, maxsplit=1)[0]


def unify_line_endings(middle: str, gap: Gap) -> str:
    """Turn CRLF and CR into LF, which is what every other rule reads."""
    return middle.replace("\r\n", "\n").replace("\r", "\n")


def cut_at_line_end(middle: str, gap: Gap) -> str:
    """Keep the first line only."""
    return middle.partition("\n")[0]


def keep_one_line_mid_line(middle: str, gap: Gap) -> str:
    """Keep the first line only where code follows on the line: it would be torn from its start.

    Closers do not count as code: a callback between `(` and the `)` that the editor put there may
    well have several lines.
    """
    return cut_at_line_end(middle, gap) if gap.is_mid_line else middle


def drop_blanks_at_line_ends(middle: str, gap: Gap) -> str:
    """Drop blanks before each line ending, unless they may belong to a string or mean something."""
    if gap.language_id in _BLANKS_MEAN_SOMETHING or re.search("\"\"\"|'''|`", middle):
        return middle
    return _BLANKS_AT_LINE_END.sub("", middle)


def drop_trailing_blanks(middle: str, gap: Gap) -> str:
    """Drop blanks and empty lines from the end, unless code follows at once on the same line."""
    is_before_code = gap.rest_of_line[:1].strip()
    return middle if is_before_code else middle.rstrip()


def drop_if_blank(middle: str, gap: Gap) -> str:
    """Show nothing rather than blanks."""
    return middle if middle.strip() else ""
