"""The code around the cursor as syntax sees it: a tree of the text with a stand-in at the gap.

The stand-in, an identifier, makes half-typed code parse where it can. Taken from a document's own
tree when that is ready, else from a window of text around the cursor. Knows nothing of what is
asked of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from tree_sitter import Node, Tree

from lsp_server.grammars import parser_for
from lsp_server.languages import GAP, LanguageSyntax, syntax_of
from lsp_server.syntax_tree import SyntaxTree

WINDOW_CHARS = 10_000
"""Characters parsed on each side of the cursor without a tree; 20,000 parse in about 3 ms."""
MAX_LINE_CHARS = 100_000
"""A document with a longer line around the cursor is data, and not looked at."""
MAX_DEPTH = 500
"""Nodes looked at from the root to the gap; code written by hand nests a tenth of that."""


@dataclass(frozen=True, slots=True)
class GapView:
    """A tree with the gap in it.

    Attributes:
        syntax: what its node types mean.
        tree: of `lines` with LF line endings.
        lines: the text with the gap's stand-in, each line with its ending.
        gap_line: index of the gap's line in `lines`.
        gap_byte: first byte of the stand-in.
        gap_end_byte: the byte behind it.
        line_prefix: text before the cursor on its line.
        rest_of_line: text after the cursor on its line, without its ending.
        last_line_before: the nearest line of code at or before the cursor, up to the cursor.
        is_whole: whether `lines` is all of the document, and not a window of it.
        path: the nodes around the gap, from the root to the innermost.
    """

    syntax: LanguageSyntax
    tree: Tree
    lines: Sequence[str]
    gap_line: int
    gap_byte: int
    gap_end_byte: int
    line_prefix: str
    rest_of_line: str
    last_line_before: str
    is_whole: bool
    path: tuple[Node, ...]

    @property
    def is_broken(self) -> bool:
        """Whether the gap stands in code that does not parse."""
        return any(node.is_error for node in self.path)

    @property
    def opens_body(self) -> bool:
        """Whether a body begins right before the gap."""
        return self.syntax.opens_body.search(self.last_line_before) is not None


class LinesWithGap(Sequence[str]):
    """A document's lines with the gap's line replaced, without copying them."""

    def __init__(self, lines: list[str], gap_line: int, replaced: str) -> None:
        self._lines = lines
        self._gap_line = gap_line
        self._replaced = replaced

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, idx: int) -> str: ...
    @overload
    def __getitem__(self, idx: slice) -> list[str]: ...
    def __getitem__(self, idx: int | slice) -> str | list[str]:
        if isinstance(idx, slice):
            return [self[i] for i in range(*idx.indices(len(self._lines)))]
        return self._replaced if idx == self._gap_line else self._lines[idx]


def view_in_document(
    tree: SyntaxTree, lines: list[str], line_idx: int, char_offset: int, language_id: str
) -> GapView | None:
    """View a document around a place; None without a grammar or in a line that is no code.

    Args:
        tree: the document's.
        lines: its lines, each with its ending. They must not change while the view is used.
        line_idx: the cursor's line.
        char_offset: the cursor's place in it, in code points.
        language_id: LSP language identifier.
    """
    syntax = syntax_of(language_id)
    line = lines[line_idx]
    if syntax is None or len(line) > MAX_LINE_CHARS:
        return None
    line_prefix, rest = line[:char_offset], line[char_offset:]
    before = _last_code_line(lines, line_idx, line_prefix)
    gap = _stand_in(syntax, line_prefix, rest)
    parsed = tree.parse_with_gap(lines, line_idx, char_offset, gap)
    if parsed is None:
        prefix = "".join(lines[max(0, line_idx - 500) : line_idx]) + line_prefix
        suffix = rest + "".join(lines[line_idx + 1 : line_idx + 500])
        return view_of_sides(_with_lf(prefix), _with_lf(suffix), language_id)
    root, gap_byte = parsed
    return GapView(
        syntax=syntax,
        tree=root,
        lines=LinesWithGap(lines, line_idx, line_prefix + gap + rest),
        gap_line=line_idx,
        gap_byte=gap_byte,
        gap_end_byte=gap_byte + len(gap),
        line_prefix=line_prefix,
        rest_of_line=rest.rstrip("\r\n"),
        last_line_before=before,
        is_whole=True,
        path=_path_to(root, gap_byte),
    )


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
    near_prefix = prefix[-WINDOW_CHARS:]
    is_cut = len(near_prefix) < len(prefix) or len(suffix) > WINDOW_CHARS
    if len(near_prefix) < len(prefix):
        near_prefix = near_prefix.partition("\n")[2]
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
        lines=text.split("\n"),
        gap_line=len(before) - 1,
        gap_byte=gap_byte,
        gap_end_byte=gap_byte + len(gap),
        line_prefix=line_prefix,
        rest_of_line=rest_of_line,
        last_line_before=code_line,
        is_whole=not is_cut,
        path=_path_to(tree, gap_byte),
    )


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


def _path_to(tree: Tree, byte: int) -> tuple[Node, ...]:
    """Return the nodes that hold `byte`, outermost first. A loop: nesting may be deep."""
    cursor = tree.root_node.walk()
    path: list[Node] = [tree.root_node]
    while len(path) < MAX_DEPTH and cursor.goto_first_child_for_byte(byte) is not None:
        node = cursor.node
        if node is None or node.start_byte > byte:
            break
        path.append(node)
    return tuple(path)


def _with_lf(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text)
