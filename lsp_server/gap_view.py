"""The code around the cursor as syntax sees it: a tree of some text with a stand-in at the gap.

The stand-in, an identifier, makes half-typed code parse where it can. Only a window around the
cursor is parsed, so that every keystroke costs the same in every file: a document's own tree can
take long to bring up to date, since one opened quote changes all that follows. Knows nothing of
what is asked of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tree_sitter import Node, Tree

from lsp_server.grammars import parser_for
from lsp_server.languages import GAP, LanguageSyntax, syntax_of

WINDOW_CHARS = 7_000
"""Characters parsed on each side of the cursor; 14,000 parse in about 2 ms."""
MAX_LINE_CHARS = 100_000
"""A document with a longer line around the cursor is data, and not looked at."""
MAX_DEPTH = 500
"""Nodes looked at from the root to the gap; code written by hand nests a tenth of that."""

_SAFE_START = re.compile(
    r"^[ \t]*(?:(?:export|default|public|private|protected|static|async|pub|final|abstract) +)*"
    r"(?:def|class|func|fn|function|struct|impl|interface|enum|trait|namespace|module)\b"
    r"[^\n]*[({:][^\n]*$"
    r"|^[A-Za-z_][^;=\n]*\) *\{ *$",
    re.MULTILINE,
)
"""A line that begins a definition: hardly ever in the middle of a string or comment."""


@dataclass(frozen=True, slots=True)
class GapView:
    """A tree with the gap in it.

    Attributes:
        syntax: what its node types mean.
        tree: of the window, with LF line endings.
        gap_byte: first byte of the stand-in.
        gap_end_byte: the byte behind it.
        line_prefix: text before the cursor on its line.
        rest_of_line: text after the cursor on its line, without its ending.
        last_line_before: the nearest line of code at or before the cursor, up to the cursor.
        path: the nodes around the gap, from the root to the innermost.
    """

    syntax: LanguageSyntax
    tree: Tree
    gap_byte: int
    gap_end_byte: int
    line_prefix: str
    rest_of_line: str
    last_line_before: str
    path: tuple[Node, ...]

    @property
    def is_broken(self) -> bool:
        """Whether the gap stands in code that does not parse."""
        return any(node.is_error for node in self.path)

    @property
    def opens_body(self) -> bool:
        """Whether a body begins right before the gap."""
        return self.syntax.opens_body.search(self.last_line_before) is not None


def view_in_document(
    lines: Sequence[str], line_idx: int, char_offset: int, language_id: str
) -> GapView | None:
    """View a document around a place; None without a grammar or in a line that is no code.

    Args:
        lines: the document's, each with its ending.
        line_idx: the cursor's line.
        char_offset: the cursor's place in it, in code points.
        language_id: LSP language identifier.
    """
    line = lines[line_idx]
    if syntax_of(language_id) is None or len(line) > MAX_LINE_CHARS:
        return None
    first, num_chars = line_idx, 0
    while first > 0 and num_chars <= WINDOW_CHARS:
        first -= 1
        num_chars += len(lines[first])
    stop, num_chars = line_idx + 1, 0
    while stop < len(lines) and num_chars <= WINDOW_CHARS:
        num_chars += len(lines[stop])
        stop += 1
    prefix = "".join(lines[first:line_idx]) + line[:char_offset]
    suffix = line[char_offset:] + "".join(lines[line_idx + 1 : stop])
    return view_of_sides(_with_lf(prefix), _with_lf(suffix), language_id)


def view_of_sides(prefix: str, suffix: str, language_id: str) -> GapView | None:
    """View the text on both sides of a gap, as far as `WINDOW_CHARS` go; None without a grammar.

    Args:
        prefix: text before the cursor, LF line endings.
        suffix: text after the cursor, LF line endings.
        language_id: LSP language identifier.
    """
    syntax = syntax_of(language_id)
    parser = parser_for(language_id)
    if syntax is None or parser is None:
        return None
    near_prefix = _window_before(prefix)
    near_suffix = suffix[:WINDOW_CHARS]
    before = near_prefix.split("\n")
    line_prefix = before[-1]
    code_line = _last_code_line(before, len(before) - 1, line_prefix)
    rest_of_line = near_suffix.partition("\n")[0]
    gap = _stand_in(syntax, line_prefix, rest_of_line)
    # errors="replace": a lone surrogate, which JSON can carry, has no UTF-8 form.
    gap_byte = len(near_prefix.encode(errors="replace"))
    text = near_prefix + gap + near_suffix
    tree = parser.parse(text.encode(errors="replace"))
    return GapView(
        syntax=syntax,
        tree=tree,
        gap_byte=gap_byte,
        gap_end_byte=gap_byte + len(gap),
        line_prefix=line_prefix,
        rest_of_line=rest_of_line,
        last_line_before=code_line,
        path=path_to(tree.root_node, gap_byte),
    )


def path_to(root: Node, byte: int) -> tuple[Node, ...]:
    """Return the nodes that hold `byte`, outermost first. A loop: nesting may be deep."""
    cursor = root.walk()
    path: list[Node] = [root]
    while len(path) < MAX_DEPTH and cursor.goto_first_child_for_byte(byte) is not None:
        node = cursor.node
        if node is None or node.start_byte > byte:
            break
        path.append(node)
    return tuple(path)


def _window_before(prefix: str) -> str:
    """Cut to `WINDOW_CHARS`, where a definition begins if that is not too near the cursor.

    Cut within a string or comment, the parser would take text for code and code for text.
    """
    if len(prefix) <= WINDOW_CHARS:
        return prefix
    window = prefix[-WINDOW_CHARS:].partition("\n")[2]
    start = _SAFE_START.search(window, 0, WINDOW_CHARS * 3 // 4)
    return window[start.start() :] if start else window


def _stand_in(syntax: LanguageSyntax, line_prefix: str, rest: str) -> str:
    """Return what parses best at the gap: a statement where one begins, else an identifier."""
    begins_statement = not line_prefix.strip() or syntax.opens_body.search(line_prefix)
    return syntax.statement_gap if begins_statement and not rest.strip() else GAP


def _last_code_line(lines: Sequence[str], line_idx: int, line_prefix: str) -> str:
    """Return the nearest line with more than blanks, at most 20 lines up."""
    if line_prefix.strip():
        return line_prefix
    for idx in range(line_idx - 1, max(-1, line_idx - 20), -1):
        if not lines[idx].isspace() and lines[idx]:
            return lines[idx].rstrip()
    return ""


def _with_lf(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text)
