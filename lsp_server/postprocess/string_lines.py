"""Finds the lines of a middle that begin inside a string: their blanks are content.

With a grammar by the tree, without one by the quotes that strings of several lines begin with.
"""

import re

from lsp_server.postprocess.gap import Gap
from lsp_server.postprocess.parsing import parse_gap

_MANY_LINE_STRING = re.compile(r"\"\"\"|'''|`|<<[-~]?['\"]?\w|R\"\w*\(|r#*\"|\[=*\[|<pre|@\"")
_STRING_TYPES = ("string", "template", "heredoc", "raw_text", "char_literal", "jsx_text")


def lines_in_strings(middle: str, gap: Gap) -> frozenset[int]:
    """Return the indices of the lines of `middle`, from 0, that begin inside a string.

    Without a grammar every line but the first counts as such when a string of several lines may
    begin in the middle or on the cursor's line.
    """
    num_lines = middle.count("\n") + 1
    parsed = parse_gap(gap)
    if parsed is None:
        may_begin = _MANY_LINE_STRING.search(gap.line_prefix + middle)
        return frozenset(range(1, num_lines)) if may_begin else frozenset()
    root = parsed.tree_with(middle).root_node
    found: set[int] = set()
    offset = parsed.start_byte
    for idx, line in enumerate(middle.split("\n")):
        node = root.descendant_for_byte_range(offset, offset) if idx else None
        while node is not None:
            if node.start_byte < offset < node.end_byte and _is_string(node.type):
                found.add(idx)
                break
            node = node.parent
        offset += len(line.encode(errors="replace")) + 1
    return frozenset(found)


def _is_string(node_type: str) -> bool:
    # Not what is in a template: code between ${ and }.
    return any(part in node_type for part in _STRING_TYPES) and "substitution" not in node_type
