"""Decides by syntax how much to fill at the cursor: the rest of the line, or a whole block.

Never raises on half-typed code. Knows nothing of LSP, of the engine or of who asks.
"""

from typing import Literal

from tree_sitter import Node

from lsp_server.gap_view import GapView, view_of_sides
from lsp_server.languages import LanguageSyntax, syntax_of

FillMode = Literal["line", "block"]

_MAX_COMMENTS = 20  # in a body that still counts as empty


def choose_mode(prefix: str, suffix: str, language_id: str) -> FillMode:
    """Decide between filling to the end of the line and filling a block.

    For whoever has no document; parses a window around the cursor where that can matter.

    Args:
        prefix: text before the cursor, LF line endings.
        suffix: text after the cursor, LF line endings.
        language_id: LSP language identifier; an unknown one gives "line".

    Returns:
        "block" in a body with nothing in it but comments or a docstring, when nothing but blanks
        follows on the line; else "line".
    """
    syntax = syntax_of(language_id)
    line_prefix = prefix.rpartition("\n")[2]
    rest_of_line = suffix.partition("\n")[0]
    if syntax is None or not _may_begin_block(syntax, line_prefix, rest_of_line):
        return "line"
    view = view_of_sides(prefix, suffix, language_id)
    return "line" if view is None else fill_mode(view)


def fill_mode(view: GapView) -> FillMode:
    """Decide as `choose_mode` does, by a tree that is there already."""
    if not _may_begin_block(view.syntax, view.line_prefix, view.rest_of_line):
        return "line"
    return "block" if _fills_a_body(view) else "line"


def _may_begin_block(syntax: LanguageSyntax, line_prefix: str, rest_of_line: str) -> bool:
    if not syntax.bodies or rest_of_line.strip():
        return False
    return not line_prefix.strip() or syntax.opens_body.search(line_prefix) is not None


def _fills_a_body(view: GapView) -> bool:
    """Say whether the gap is the only code in the body that it stands in."""
    path = view.path
    gap_idx = len(path) - 1
    while gap_idx > 0 and _is_only_content(view, path[gap_idx - 1]):
        gap_idx -= 1
    if gap_idx == 0:
        # Nothing but the gap is there, or what opens the body does not parse yet.
        return path[0].is_error and view.opens_body
    statement, body = path[gap_idx], path[gap_idx - 1]
    if body.is_error:
        # The block is not closed yet; then what opened it must stand right before the gap.
        return view.opens_body
    if body.type not in view.syntax.bodies or body.named_child_count > _MAX_COMMENTS:
        return False
    return all(
        child == statement or _is_no_code(view.syntax, child) for child in body.named_children
    )


def _is_only_content(view: GapView, node: Node) -> bool:
    """Say whether `node` wraps the gap and nothing else; a body never counts as a wrapping."""
    return (
        node.start_byte == view.gap_byte
        # A list of one statement can take in the line's end.
        and (node.end_byte <= view.gap_end_byte or node.named_child_count == 1)
        and node.type not in view.syntax.bodies
    )


def _is_no_code(syntax: LanguageSyntax, node: Node) -> bool:
    if node.type in syntax.comments:
        return True
    only = node.named_children[0] if node.named_child_count == 1 else node
    return syntax.has_docstrings and only.type in syntax.strings
