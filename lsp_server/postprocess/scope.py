"""Rule that holds a block to the scope of the cursor: what is less indented belongs to others.

By indentation alone, which half-typed code has too; needs no grammar but for strings.
"""

import re

from lsp_server.postprocess.brackets import find_unmatched
from lsp_server.postprocess.gap import Gap, indent_of
from lsp_server.postprocess.string_lines import lines_in_strings

_OPENERS = (":", "{", "=>", " then", " do", "begin")
_CLOSERS = (")", "]", "}", "end", "</", "fi", "done", "esac")
_BRANCH = re.compile(r"(else|elif|elsif|except|finally|catch|rescue|ensure|when|case|default)\b")
_FREE_FORM = frozenset({"markdown", "plaintext", "latex", "html", "xml", "git-commit"})
_MOST_LINES_OF_CONDITION = 20
_TAB = " " * 8
_PREPROCESSED = frozenset({"c", "cpp", "csharp", "objective-c"})


def cut_at_scope_end(middle: str, gap: Gap) -> str:
    """Stop before the first line that is less indented than the cursor's block.

    Behind an opener (`def f():`) the block is what is more indented than that line, and the
    branches that belong to it (`else:`). One line that closes the block stays, unless the line
    below the cursor closes it already.
    """
    lines = middle.split("\n")
    if gap.language_id in _FREE_FORM or len(lines) == 1:
        return middle
    opens = gap.line_prefix.rstrip().endswith(_OPENERS) and not lines[0].strip()
    line = _opening_line(gap) if gap.line_prefix.strip() else _first_line(gap, lines)
    line_indent = _num_columns(line)
    least = line_indent + 1 if opens else line_indent
    outside = [
        idx
        for idx, line in enumerate(lines)
        if idx and line.strip() and _num_columns(line) < least and not _is_directive(line, gap)
    ]
    if opens:
        outside = [idx for idx in outside if not _goes_on(lines[idx], line_indent)]
    if not outside:
        return middle
    in_strings = lines_in_strings(middle, gap)
    for idx in outside:
        if idx in in_strings:
            continue
        line = lines[idx].strip()
        closes = line.startswith(_CLOSERS) and _is_only_closer(line)
        if closes and not _is_closed_below(_num_columns(lines[idx]), gap):
            idx += 1
        return "\n".join(lines[:idx]).rstrip()
    return middle


def _opening_line(gap: Gap) -> str:
    """Return the line on which the cursor's statement began: a condition may have several."""
    written = line = gap.line_prefix
    for above in reversed(gap.lines_above[-_MOST_LINES_OF_CONDITION:]):
        if not find_unmatched(written, gap.language_id).closers:
            return line
        line = above
        written = f"{above}\n{written}"
    return gap.line_prefix if find_unmatched(written, gap.language_id).closers else line


def _first_line(gap: Gap, lines: list[str]) -> str:
    """Return the first line that has code, as it will stand in the document."""
    first = gap.line_prefix + lines[0]
    return first if first.strip() else next((line for line in lines[1:] if line.strip()), "")


def _goes_on(line: str, num_columns: int) -> bool:
    """Say whether `line` is a further branch of what the cursor's line opens: `} else {`."""
    if _num_columns(line) != num_columns:
        return False
    written = line.strip()
    return bool(_BRANCH.match(written)) or (
        written.startswith("}") and not _is_only_closer(written)
    )


def _is_only_closer(line: str) -> bool:
    return not any(char.isalnum() for char in line) or line.rstrip(");, ").isalpha()


def _is_closed_below(num_columns: int, gap: Gap) -> bool:
    """Say whether the next line below the cursor already closes a block at this indentation."""
    if not gap.lines_below:
        return False
    below = gap.lines_below[0]
    return _num_columns(below) == num_columns and below.strip().startswith(_CLOSERS)


def _num_columns(line: str) -> int:
    return len(indent_of(line).replace("\t", _TAB))


def _is_directive(line: str, gap: Gap) -> bool:
    """Say whether this is a line for the preprocessor, which stands in column 0 anywhere."""
    return gap.language_id in _PREPROCESSED and line.lstrip().startswith("#")
