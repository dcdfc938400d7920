"""Finds the syntax nodes of a file that make sensible gaps, with tree-sitter.

Gives character ranges of nodes; does not choose among them and knows nothing of spans or tokens.
"""

import importlib
from functools import cache

from tree_sitter import Language, Node, Parser

_GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "c": ("tree_sitter_c", "language"),
    "java": ("tree_sitter_java", "language"),
}
MAX_NODE_CHARS = 800
_MIN_NODE_CHARS = 3


@cache
def _parser(language_id: str) -> Parser | None:
    grammar = _GRAMMARS.get(language_id)
    if grammar is None:
        return None
    module, function = grammar
    return Parser(Language(getattr(importlib.import_module(module), function)()))


def syntax_node_ranges(text: str, language_id: str) -> list[tuple[int, int]]:
    """Return (start, end) character offsets of the named nodes of a text, in document order.

    Only nodes of 3 to MAX_NODE_CHARS characters; a range that several nested nodes share appears
    once. Empty for a language without a grammar.
    """
    parser = _parser(language_id)
    if parser is None:
        return []
    data = text.encode()
    ranges: dict[tuple[int, int], None] = {}
    pending: list[Node] = [parser.parse(data).root_node]
    while pending:
        node = pending.pop()
        if node.is_named and _MIN_NODE_CHARS <= node.end_byte - node.start_byte <= MAX_NODE_CHARS:
            ranges[node.start_byte, node.end_byte] = None
        # Nothing below a short node can be long enough.
        if node.end_byte - node.start_byte > _MIN_NODE_CHARS:
            pending.extend(reversed(node.children))
    if len(data) == len(text):
        return list(ranges)
    char_offsets = _char_offsets(text, len(data))
    return [(char_offsets[start], char_offsets[end]) for start, end in ranges]


def _char_offsets(text: str, num_bytes: int) -> list[int]:
    """Map each byte offset of the UTF-8 text to the offset of the character it belongs to."""
    offsets: list[int] = []
    for idx, char in enumerate(text):
        offsets.extend([idx] * len(char.encode()))
    offsets.append(len(text))
    assert len(offsets) == num_bytes + 1
    return offsets
