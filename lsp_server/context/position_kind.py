"""Tells whether the cursor stands in code, in a comment or in a string.

Whoever suggests asks this first: inside a comment or string few want a suggestion. Knows nothing of
that decision.
"""

import re
from typing import Literal

from lsp_server.gap_view import GapView

PositionKind = Literal["code", "comment", "string"]

_NEAR_NODES = 4  # innermost ones: an error further out is not of this line
_QUOTED = re.compile(r"""("|'|`)(?:\\.|(?!\1).)*\1""")


def position_kind(view: GapView | None) -> PositionKind:
    """Say in what the gap of `view` stands; "code" without a view.

    Inside means between the marks: right before the first quote and right behind the last one is
    code, and so is what stands in a string's `{}` or `${}`. A line comment reaches to the end of
    its line. In data formats such as JSON, strings are the content and count as code.
    """
    if view is None:
        return "code"
    syntax = view.syntax
    for node in reversed(view.path):
        if node.type in syntax.interpolations:
            return "code"
        if node.type in syntax.strings:
            # A node that begins at the gap is the gap itself, right before or in place of a string.
            return "string" if node.start_byte < view.gap_byte else "code"
        if node.type in syntax.comments:
            return "comment" if node.start_byte < view.gap_byte else "code"
    is_half_typed = any(node.has_error for node in view.path[1:][-_NEAR_NODES:])
    return _kind_by_line(view) if is_half_typed else "code"


def _kind_by_line(view: GapView) -> PositionKind:
    """Look for a comment or an open quote in the line so far: half-typed code may have no node."""
    if not view.syntax.strings and not view.syntax.line_comment:
        return "code"
    rest = _QUOTED.sub("", view.line_prefix)
    comment = rest.find(view.syntax.line_comment) if view.syntax.line_comment else -1
    quotes = view.syntax.quotes if view.syntax.strings else ""
    quote = min((at for char in quotes if (at := rest.find(char)) >= 0), default=-1)
    if comment >= 0 and not 0 <= quote < comment:
        return "comment"
    return "string" if quote >= 0 else "code"
