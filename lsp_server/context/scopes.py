"""The definitions around the cursor, their siblings, and what the file imports.

Knows nothing of other documents or of budgets.
"""

import re
from collections.abc import Iterator, Sequence
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
from lsp_server.documents import OpenDocument
from lsp_server.gap_view import path_to
from lsp_server.languages import LanguageSyntax, syntax_of
from lsp_server.syntax_tree import BUDGET_MS

_MAX_SIBLINGS = 80
_MAX_BLANK_LINES = 50  # above the cursor, to the code that it may belong to
_MAX_NODES_TO_IMPORTS = 200  # from the file's beginning
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
        body: the node of its body, or its own where an empty body has none.
    """

    name: str
    kind: str
    header: str
    first_line: int
    last_line: int
    body: Node


@dataclass(frozen=True, slots=True)
class PlaceInTree:
    """A place in a document that has a tree. Valid until the document is edited.

    Attributes:
        syntax: what the node types mean.
        root: the tree's root.
        lines: the document's, each with its ending.
        line_idx: the cursor's line.
        indentation: blanks before the cursor's line's text, or before the cursor in an empty line.
        byte: the cursor's place.
        code_byte: that of the last character of code before the cursor.
    """

    syntax: LanguageSyntax
    root: Node
    lines: Sequence[str]
    line_idx: int
    indentation: int
    byte: int
    code_byte: int


def place_in_tree(
    document: OpenDocument, line_idx: int, char_offset: int, budget_ms: float | None = BUDGET_MS
) -> PlaceInTree | None:
    """Find a place in the document's tree; None where there is none yet.

    A tree that cannot be brought up to date in the time given is taken as it is: a definition
    typed in the last second may be missing.
    """
    syntax = syntax_of(document.language_id)
    if syntax is None or document.is_binary:
        return None
    tree = document.syntax.parse(document.lines, budget_ms) or document.syntax.latest
    if tree is None:
        return None
    lines = document.lines
    line_prefix = lines[line_idx][:char_offset]
    code_line, code = line_idx, line_prefix.rstrip()
    while not code and code_line > max(0, line_idx - _MAX_BLANK_LINES):
        code_line -= 1
        code = lines[code_line].rstrip()
    code_byte = document.syntax.byte_of(lines, code_line, max(0, len(code) - 1))
    return PlaceInTree(
        syntax=syntax,
        root=tree.root_node,
        lines=lines,
        line_idx=line_idx,
        indentation=len(line_prefix) - len(line_prefix.lstrip()),
        byte=document.syntax.byte_of(lines, line_idx, char_offset),
        code_byte=code_byte,
    )


def enclosing_scopes(place: PlaceInTree) -> list[Scope]:
    """Return the definitions around the cursor, outermost first.

    Only those whose body holds it: while someone types a signature, its definition is none of them.
    Where blocks are told by indentation, a body goes on in the empty lines below it for a cursor
    that is indented more than its definition.
    """
    scopes: list[Scope] = []
    outer: Node | None = None
    for node in path_to(place.root, place.code_byte):
        if node.type in place.syntax.wrappers:
            outer = outer or node
            continue
        if node.type in place.syntax.definitions:
            body = body_of(node, place.syntax)
            is_inside = (
                _is_below_signature(place, node)
                if body is None
                else _holds_cursor(place, node, body)
            )
            if is_inside:
                scopes.append(_scope(place, outer or node, node, body or node))
        outer = None
    return scopes


def sibling_signatures(
    place: PlaceInTree, scopes: Sequence[Scope]
) -> Iterator[tuple[int, str, str]]:
    """Yield (first line, name, signature) of what is defined beside the innermost definition.

    Siblings of a method are the other methods of its class; of a function, the file's definitions.
    """
    parent = scopes[-2].body if len(scopes) > 1 else place.root
    for outer, node in islice(members_of(parent, place.syntax), _MAX_SIBLINGS):
        if not outer.start_byte <= place.byte <= outer.end_byte:
            name = name_of(node, place.lines)
            signature = signature_of(outer, node, place.syntax, place.lines)
            yield outer.start_point.row, name, signature


def import_lines(place: PlaceInTree) -> list[tuple[int, str]]:
    """Return (line index, text) of each import near the file's beginning."""
    found: list[tuple[int, str]] = []
    cursor = place.root.walk()
    is_there = cursor.goto_first_child()
    for _ in range(_MAX_NODES_TO_IMPORTS):
        node = cursor.node
        if not is_there or node is None:
            break
        if node.type in place.syntax.imports:
            text = text_between(place.lines, node.start_point, node.end_point)
            found.append((node.start_point.row, text.rstrip()))
        is_there = cursor.goto_next_sibling()
    return found


def names_in(text: str) -> Iterator[str]:
    """Yield the identifiers of three letters or more, in order."""
    for match in _WORD.finditer(text):
        if len(match.group()) > 2:
            yield match.group()


def _is_below_signature(place: PlaceInTree, node: Node) -> bool:
    """Stands in for a body that is empty, where no node tells of it: between `def` and `end`."""
    if node.type in place.syntax.values or place.syntax.is_indented:
        return False
    return node.start_point.row < place.line_idx and place.byte < node.end_byte


def _holds_cursor(place: PlaceInTree, node: Node, body: Node) -> bool:
    if place.byte <= body.end_byte:
        return place.byte >= body.start_byte
    if not place.syntax.is_indented:
        return False
    line = place.lines[node.start_point.row]
    return place.indentation > len(line) - len(line.lstrip())


def _scope(place: PlaceInTree, outer: Node, node: Node, body: Node) -> Scope:
    return Scope(
        name=name_of(node, place.lines),
        kind=node.type,
        header=header_of(outer, node, place.syntax, place.lines),
        first_line=outer.start_point.row,
        last_line=outer.end_point.row,
        body=body,
    )
