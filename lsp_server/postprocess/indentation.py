"""Rules that bring a middle's indentation into the document's style.

The first line goes on where the cursor stands; lines inside a string that began on an earlier line
are content and never touched. Knows no grammar but through string_lines.py.
"""

from itertools import pairwise
from math import gcd

from lsp_server.postprocess.gap import Gap, indent_of
from lsp_server.postprocess.indent_style import IndentStyle, style_near
from lsp_server.postprocess.string_lines import lines_in_strings

_OPENERS = (":", "{", "(", "[")
_BLOCK_OPENERS = (":", "{")
_LABELS = ("case ", "default", "public", "private", "protected")
_COMMENTS = ("#", "//", "/*", "*", "--", ";")
_STATEMENT_ENDS = (";", "}", ")", "]")
_BY_BLOCKS = frozenset(
    "c cpp csharp go java javascript javascriptreact kotlin php python rust swift typescript "
    "typescriptreact".split()
)
"""Languages in which nothing is indented deeper without an opener or an unfinished statement."""


def indent_like_document(middle: str, gap: Gap) -> str:
    """Write the indentation of every line in the document's style.

    1. Tabs become blanks in a document of blanks, blanks become tabs in one of tabs.
    2. Levels of another width become levels of the document's.
    3. Lines written as if the cursor's line were not indented move right with it.
    """
    lines = middle.split("\n")
    style = style_near(gap)
    if style is None or not any(line.strip() for line in lines[1:]):
        return middle
    opener = gap.line_prefix + lines[0]
    others = _scaled(_converted(lines[1:], style), opener, style)
    lines = [lines[0], *_shifted(others, opener, style)]
    indented = "\n".join(lines)
    if indented == middle:
        return middle
    kept = lines_in_strings(middle, gap)
    before = middle.split("\n")
    return "\n".join(before[idx] if idx in kept else line for idx, line in enumerate(lines))


def drop_repeated_indent(middle: str, gap: Gap) -> str:
    """Drop from the start the indentation that the cursor's line has already.

    Only where nothing can be indented deeper than the line above: it ends a statement and opens
    nothing. Further lines that were written with the same surplus move left too.
    """
    indent = indent_of(middle)
    if not indent or gap.line_prefix.strip() or not gap.line_prefix:
        return middle
    if gap.language_id not in _BY_BLOCKS or not gap.lines_above or not middle.strip():
        return middle
    above = gap.lines_above[-1]
    is_deeper = len(gap.line_prefix + indent) > len(indent_of(above))
    opens = above.endswith(_OPENERS)
    if opens and indent_of(above) == gap.line_prefix:
        return middle
    if not is_deeper or not (opens or _ends_statement(above, gap.language_id)):
        return middle
    first, *others = middle.split("\n")
    written = [line for line in others if line.strip()]
    surplus = gap.line_prefix + indent
    if all(line.startswith(surplus) for line in written):
        others = [line.removeprefix(indent) if line.strip() else line for line in others]
    return "\n".join([first[len(indent) :], *others])


def _ends_statement(line: str, language_id: str) -> bool:
    if language_id == "python":
        return line[-1].isalnum() or line.endswith((*_STATEMENT_ENDS, '"', "'"))
    return line.endswith(_STATEMENT_ENDS)


def _converted(lines: list[str], style: IndentStyle) -> list[str]:
    """Step 1: the same columns in the document's characters."""
    foreign = " " if style.has_tabs else "\t"
    steps = [len(indent_of(line)) for line in lines if indent_of(line).startswith(foreign)]
    if not steps:
        return lines
    # What a level is in the middle: its indentations are multiples of it.
    width = gcd(*steps) if style.has_tabs else 1
    if style.has_tabs and width < 2:
        return lines
    levels = IndentStyle(style.has_tabs, min(width, 8) if style.has_tabs else style.width)
    converted: list[str] = []
    for line in lines:
        indent = indent_of(line)
        is_foreign = foreign in indent
        written = levels.write(levels.columns(indent)) if is_foreign else indent
        converted.append(written + line[len(indent) :])
    return converted


def _scaled(lines: list[str], opener: str, style: IndentStyle) -> list[str]:
    """Step 2: four blanks a level become two."""
    base = len(indent_of(opener))
    depths = [len(indent_of(line)) - base for line in lines if line.strip()]
    deeper = [depth for depth in depths if depth > 0]
    width = gcd(*deeper) if deeper else 0
    if style.has_tabs or width not in (2, 4, 8) or width == style.width or width % style.width:
        # A width that is no multiple is no other style: lines aligned under a bracket have that.
        return lines
    if min(deeper) != width or not _first_step_opens([opener, *lines], width + base):
        return lines
    scaled: list[str] = []
    for line in lines:
        depth = len(indent_of(line)) - base
        if line.strip() and depth > 0:
            line = style.write(base + depth // width * style.width) + line.lstrip(" \t")
        scaled.append(line)
    return scaled


def _first_step_opens(lines: list[str], num_columns: int) -> bool:
    """Say whether the first line indented by `num_columns` follows one that opens a block.

    Arguments behind a bracket are often indented by two levels.
    """
    for before, line in pairwise(lines):
        if len(indent_of(line)) == num_columns:
            return before.rstrip().endswith(_BLOCK_OPENERS)
    return False


def _shifted(lines: list[str], opener: str, style: IndentStyle) -> list[str]:
    """Step 3: a body that is not deeper than the line that opens it was written from column 0."""
    body = next((line for line in lines if line.strip()), "")
    num_columns = style.columns(indent_of(body))
    num_before = style.columns(indent_of(opener))
    if not opener.rstrip().endswith(_BLOCK_OPENERS) or opener.strip().startswith(_COMMENTS):
        return lines
    is_label = body.strip().startswith(_LABELS)
    if is_label or num_columns != style.width or num_columns > num_before:
        return lines
    return [indent_of(opener) + line if line.strip() else line for line in lines]
