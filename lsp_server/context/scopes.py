"""The definitions around the cursor, their siblings, and what the file imports.

Knows nothing of other documents or of budgets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tree_sitter import Node

from lsp_server.context.definitions import (
    body_of,
    header_of,
    members_of,
    name_of,
    signature_of,
    text_between,
)
from lsp_server.gap_view import GapView

_MAX_SIBLINGS = 200
_MAX_NODES_TO_IMPORTS = 400  # from the file's beginning
_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Scope:
    """A definition whose body holds the cursor.

    Attributes:
        name: as the code spells it.
        kind: its node type.
        header: signature and documentation, without the body.
        first_line: index of its first line.
        last_line: index of its last line.
        body: the node of its body.
    """

    name: str
    kind: str
    header: str
    first_line: int
    last_line: int
    body: Node


def enclosing_scopes(view: GapView) -> list[Scope]:
    """Return the definitions around the gap, outermost first.

    Only those whose body holds it: while someone types a signature, its definition is none of them.
    """
    scopes: list[Scope] = []
    outer: Node | None = None
    for node in view.path:
        if node.type in view.syntax.wrappers:
            outer = outer or node
            continue
        if node.type in view.syntax.definitions:
            body = body_of(node, view.syntax)
            if body is not None and body.start_byte <= view.gap_byte <= body.end_byte:
                scopes.append(_scope(view, outer or node, node, body))
        outer = None
    return scopes


def sibling_signatures(view: GapView, scopes: list[Scope]) -> Iterator[tuple[int, str, str]]:
    """Yield (first line, name, signature) of what is defined beside the innermost definition.

    Siblings of a method are the other methods of its class; of a function, the file's definitions.
    """
    parent = scopes[-2].body if len(scopes) > 1 else view.tree.root_node
    for outer, node in islice(members_of(parent, view.syntax), _MAX_SIBLINGS):
        if not outer.start_byte <= view.gap_byte <= outer.end_byte:
            name = name_of(node, view.lines)
            signature = signature_of(outer, node, view.syntax, view.lines)
            yield outer.start_point.row, name, signature


def import_lines(view: GapView) -> list[tuple[int, str]]:
    """Return (line index, text) of each import near the file's beginning."""
    found: list[tuple[int, str]] = []
    cursor = view.tree.root_node.walk()
    is_there = cursor.goto_first_child()
    for _ in range(_MAX_NODES_TO_IMPORTS):
        node = cursor.node
        if not is_there or node is None:
            break
        if node.type in view.syntax.imports:
            text = text_between(view.lines, node.start_point, node.end_point)
            found.append((node.start_point.row, text.rstrip()))
        is_there = cursor.goto_next_sibling()
    return found


def names_in(text: str) -> Iterator[str]:
    """Yield the identifiers of three letters or more, in order."""
    for match in _WORD.finditer(text):
        if len(match.group()) > 2:
            yield match.group()


def _scope(view: GapView, outer: Node, node: Node, body: Node) -> Scope:
    return Scope(
        name=name_of(node, view.lines),
        kind=node.type,
        header=header_of(outer, node, view.syntax, view.lines),
        first_line=outer.start_point.row,
        last_line=outer.end_point.row,
        body=body,
    )
