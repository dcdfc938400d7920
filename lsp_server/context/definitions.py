"""The definitions of a document: what they are called and how they look without their bodies.

Reads nodes by the table in languages.py and text by line and column. Knows nothing of the cursor
or of budgets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from tree_sitter import Node, Point

from lsp_server.languages import LanguageSyntax

MAX_CHILDREN = 5_000
"""Children of one node that are looked at: 10 ms; longer files are generated ones."""
MAX_SIGNATURE_LINES = 10
MAX_OUTLINE_LINES = 16

_WHOLE_LINES = 6  # a definition of so few lines is shown whole
_MAX_LINE_CHARS = 200
_MAX_DOC_LINES = 3
_NAME_FIELDS = ("name", "declarator", "left", "heading_content")
_NAME_NODES = frozenset(
    "atx_heading object_reference selectors dotted_key bare_key variable_declaration "
    "variable_declarator variable_list property_element const_element".split()
)
_COMMENT_STARTS = ("//", "/*", "*", "#", "--")


@dataclass(frozen=True, slots=True)
class Definition:
    """Something that a document gives a name to.

    Attributes:
        name: as the code spells it; "" when it has none.
        node: the definition itself.
        outer: the same with decorators and the like.
        container: of a member, the class or the like that it belongs to.
    """

    name: str
    node: Node
    outer: Node
    container: Node | None = None


def definitions_in(
    root: Node, syntax: LanguageSyntax, lines: Sequence[str]
) -> Iterator[Definition]:
    """Yield a file's own definitions and the members of its classes, in order.

    Args:
        root: the tree's root.
        syntax: what its node types mean.
        lines: the text the tree is of.
    """
    for outer, node in members_of(root, syntax):
        yield Definition(name_of(node, lines), node, outer)
        if node.type in syntax.containers:
            body = body_of(node, syntax) or node
            for outer_member, member in members_of(body, syntax):
                yield Definition(name_of(member, lines), member, outer_member, container=outer)


def members_of(node: Node, syntax: LanguageSyntax) -> Iterator[tuple[Node, Node]]:
    """Yield the definitions right below `node`: (with decorators and the like, itself)."""
    for child in _children(node):
        yield from _unwrapped(child, child, syntax, 4)


def body_of(node: Node, syntax: LanguageSyntax) -> Node | None:
    """Return the block that holds a definition's code or members; None when it has none."""
    body = node.child_by_field_name("body")
    if body is not None:
        return body
    for field in ("value", "type"):
        inner = node.child_by_field_name(field)
        if inner is not None:
            body = inner.child_by_field_name("body")
            if body is not None:
                return body
    return next((c for c in node.named_children[:8] if c.type in syntax.bodies), None)


def name_of(node: Node, lines: Sequence[str]) -> str:
    """Return a definition's name, "" when it has none."""
    inner: Node | None = node
    for _ in range(8):
        inner = _named_part(node)
        if inner is None:
            break
        node = inner
    return text_between(lines, node.start_point, node.end_point).partition("\n")[0][:80]


def signature_of(outer: Node, node: Node, syntax: LanguageSyntax, lines: Sequence[str]) -> str:
    """Return a definition's text up to its body, at most `MAX_SIGNATURE_LINES`."""
    body = body_of(node, syntax)
    end = body.start_point if body is not None else node.end_point
    start = Point(outer.start_point.row, 0)
    if end.row - start.row >= MAX_SIGNATURE_LINES:
        end = Point(start.row + MAX_SIGNATURE_LINES, 0)
    return text_between(lines, start, end).rstrip().removesuffix("{").rstrip()


def documentation_of(
    outer: Node, node: Node, syntax: LanguageSyntax, lines: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the first lines of what documents a definition: (comment above, docstring)."""
    body = body_of(node, syntax) if syntax.has_docstrings else None
    if body is not None and body.named_child_count:
        first = body.named_children[0]
        only = first.named_children[0] if first.named_child_count == 1 else first
        if only.type in syntax.strings:
            start = only.start_point.row
            stop = min(only.end_point.row + 1, start + _MAX_DOC_LINES)
            paragraph = takewhile(str.strip, (_line(lines, row) for row in range(start, stop)))
            return [], list(paragraph)
    above: list[str] = []
    row = outer.start_point.row - 1
    while row >= 0 and _line(lines, row).lstrip().startswith(_COMMENT_STARTS):
        above.append(_line(lines, row))
        row -= 1
    return above[::-1][:_MAX_DOC_LINES], []


def header_of(outer: Node, node: Node, syntax: LanguageSyntax, lines: Sequence[str]) -> str:
    """Return a definition's signature with its documentation."""
    above, inside = documentation_of(outer, node, syntax, lines)
    return "\n".join([*above, signature_of(outer, node, syntax, lines), *inside])


def outline_of(definition: Definition, syntax: LanguageSyntax, lines: Sequence[str]) -> str:
    """Return how a definition looks to others: at most `MAX_OUTLINE_LINES`.

    A short one as it is, a function as signature and documentation, a class with the signatures of
    its members, a member below its class' first line.
    """
    outer, node = definition.outer, definition.node
    first, last = outer.start_point.row, outer.end_point.row
    parts: list[str] = []
    if definition.container is not None:
        parts.append(_line(lines, definition.container.start_point.row))
    if last - first < _WHOLE_LINES:
        parts += text_between(lines, Point(first, 0), outer.end_point).split("\n")
    elif node.type not in syntax.containers:
        parts += header_of(outer, node, syntax, lines).split("\n")
    elif (body := body_of(node, syntax)) is None:
        # Columns of a table, fields of a struct: the lines themselves are the members.
        stop = min(last + 1, first + MAX_OUTLINE_LINES)
        parts += [_line(lines, row) for row in range(first, stop)]
    else:
        parts += header_of(outer, node, syntax, lines).split("\n")
        for outer_member, member in members_of(body, syntax):
            if len(parts) >= MAX_OUTLINE_LINES:
                break
            parts += signature_of(outer_member, member, syntax, lines).split("\n")
    shown = [line.rstrip()[:_MAX_LINE_CHARS] for line in parts[:MAX_OUTLINE_LINES]]
    return "\n".join(shown).rstrip()


def text_between(lines: Sequence[str], start: Point, end: Point) -> str:
    """Return the text between two points of a tree, with LF line endings.

    Args:
        lines: the text the tree is of, with or without line endings.
        start: row and column in bytes.
        end: likewise, exclusive.
    """
    parts: list[str] = []
    for row in range(start.row, min(end.row, len(lines) - 1) + 1):
        line = lines[row].rstrip("\r\n")
        if row == end.row:
            line = _head(line, end.column)
        if row == start.row:
            line = line[len(_head(line, start.column)) :]
        parts.append(line)
    return "\n".join(parts)


def _unwrapped(
    outer: Node, node: Node, syntax: LanguageSyntax, depth: int
) -> Iterator[tuple[Node, Node]]:
    if node.type in syntax.definitions:
        yield outer, node
    elif node.type in syntax.wrappers and depth:
        inner = list(_children(node))
        # What wraps several definitions belongs to none of them.
        is_shared = sum(c.type in syntax.definitions | syntax.wrappers for c in inner) > 1
        for child in inner:
            yield from _unwrapped(child if is_shared else outer, child, syntax, depth - 1)


def _children(node: Node) -> Iterator[Node]:
    cursor = node.walk()
    is_there = cursor.goto_first_child()
    for _ in range(MAX_CHILDREN):
        child = cursor.node
        if not is_there or child is None:
            return
        if child.is_named:
            yield child
        is_there = cursor.goto_next_sibling()


def _named_part(node: Node) -> Node | None:
    for field in _NAME_FIELDS:
        part = node.child_by_field_name(field)
        if part is not None:
            return part
    for child in node.named_children[:6]:
        if child.type in _NAME_NODES:
            return child
    return node.child_by_field_name("type")  # of `impl Trait for Type`


def _head(line: str, num_bytes: int) -> str:
    if line.isascii():
        return line[:num_bytes]
    return line.encode(errors="replace")[:num_bytes].decode(errors="replace")


def _line(lines: Sequence[str], row: int) -> str:
    return lines[row].rstrip("\r\n")[:_MAX_LINE_CHARS] if row < len(lines) else ""
