"""Parses the text around a gap, once without a middle and then cheaply with this one and that one.

A window of the document is enough, and keeps a long file as cheap as a short one. Knows nothing of
rules. Never raises on half-typed code.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from tree_sitter import Node, Parser, Tree

# The grammars' only door; give it another module here when they move.
from lsp_server.grammars import parser_for
from lsp_server.postprocess.gap import Gap, indent_of

GAP = "infill_gap"
"""Stands for the missing code while parsing: an identifier is valid where code can be missing."""
MAX_CHARS = 10_000
"""Characters parsed on each side, at most; mostly far fewer: to where something not indented
begins."""
_LEAST_CHARS = 300
"""Nearer to the gap than this, no line begins or ends the window."""
_LONGEST_LINE_CHARS = 1_000
"""A longer line is data or minified: slow to parse and nothing to judge by."""
_TEXT_TYPES = frozenset(
    "string string_content string_fragment template_string comment line_comment block_comment "
    "interpreted_string_literal interpreted_string_literal_content raw_string_literal "
    "raw_string_literal_content string_literal jsx_text".split()
)
_DEFINITION = re.compile(
    r"\s*(?:(?:async|export|default|public|private|static|pub|abstract|local)\s+)*"
    r"(?:def|class|func|function|fn|import|const|let|var|type|struct|interface|impl|enum)\b"
)
_GOES_ON = ("}", ")", "]", "else", "elif", "except", "finally", "catch", "case", "and ", "or ")


class ParsedGap:
    """The window around one gap, and its tree without a middle.

    Attributes:
        head: the part of the window before the gap.
        is_whole_head: whether nothing of the document stands before it.
        num_errors_without: errors of the window as it is, or with a name in the gap if those are
            fewer.
        is_in_text: whether the gap is in a string or a comment, where nothing can be wrong.
    """

    def __init__(self, parser: Parser, head: str, tail: str, is_whole_head: bool) -> None:
        self.head = head
        self.is_whole_head = is_whole_head
        # errors="replace": a lone surrogate, which JSON can carry, has no UTF-8 form.
        self._head = head.encode(errors="replace")
        self._tail = tail.encode(errors="replace")
        self._parser = parser
        self._row = self._head.count(b"\n")
        self._column = len(self._head) - (self._head.rfind(b"\n") + 1)
        self._tree = parser.parse(self._head + self._tail)
        named = self.tree_with(GAP).root_node
        self.num_errors_without = min(num_errors(self._tree.root_node), num_errors(named))
        node = named.named_descendant_for_byte_range(self.start_byte, self.start_byte + len(GAP))
        self.is_in_text = node is not None and node.type in _TEXT_TYPES

    @property
    def start_byte(self) -> int:
        """Where in the parsed text a middle begins, in bytes."""
        return len(self._head)

    def tree_with(self, middle: str) -> Tree:
        """Parse the window with `middle` in the gap, reusing what is known without it."""
        inserted = middle.encode(errors="replace")
        num_rows = inserted.count(b"\n")
        last_column = len(inserted) - (inserted.rfind(b"\n") + 1)
        here = (self._row, self._column)
        end = (self._row + num_rows, last_column if num_rows else self._column + len(inserted))
        tree = self._tree.copy()
        at = self.start_byte
        tree.edit(at, at, at + len(inserted), here, here, end)
        return self._parser.parse(self._head + inserted + self._tail, tree)


@lru_cache(maxsize=1)
def parse_gap(gap: Gap) -> ParsedGap | None:
    """Parse the window around `gap`; None without a grammar, or when nothing near can be parsed.

    The last one is kept: several rules ask for the same gap.
    """
    parser = parser_for(gap.language_id)
    if parser is None or max(len(gap.line_prefix), len(gap.rest_of_line)) > _LONGEST_LINE_CHARS:
        return None
    head = _window_before(gap.prefix, gap.language_id)
    tail = _window_after(gap.suffix, gap.language_id)
    if head is None or tail is None:
        return None
    return ParsedGap(parser, head, tail, is_whole_head=len(head) == len(gap.prefix))


def num_errors(root: Node) -> int:
    """Count the places where the grammar had to skip or to make up something, nested ones too."""
    return sum(node.is_error or node.is_missing for node in _broken_nodes(root))


def _broken_nodes(root: Node) -> Iterator[Node]:
    # A stack and no recursion: half-typed code nests as deep as it likes.
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.has_error:
            yield node
            waiting.extend(node.children)


def _window_before(prefix: str, language_id: str) -> str | None:
    """Return the end of `prefix`, from the beginning of something; None when that is not near.

    Of something not indented; in Python, where a method alone is as good as a class, of something
    as little indented as any. Lines in strings of many lines and in comments begin nothing.
    """
    near = prefix[-MAX_CHARS:]
    is_whole = len(near) == len(prefix)
    if not is_whole:
        near = near.partition("\n")[2]
    starts: dict[int, int] = {}
    offset = 0
    for line in near.split("\n")[:-1]:
        if _begins(line):
            starts[offset] = len(indent_of(line))
        offset += len(line) + 1
    least = min(starts.values(), default=0) if language_id == "python" else 0
    states = {at: _text_state(near, at) for at, width in starts.items() if width == least}
    # Whether the window itself begins in a string is not known: definitions are no text, mostly.
    found = [state for at, state in states.items() if _DEFINITION.match(near, at)]
    found = found or list(states.values())
    code = _text_state("", 0) if is_whole or not found else max(found, key=found.count)
    for at in reversed(states):
        if len(near) - at >= _LEAST_CHARS and states[at] == code:
            return near[at:]
    return near if is_whole else None


def _text_state(text: str, end: int) -> tuple[int, ...]:
    """Return what is open at `end`, by counting marks: quotes of long strings, comments."""
    quotes = (text.count(mark, 0, end) % 2 for mark in ('"""', "'''", "`"))
    return (*quotes, text.count("/*", 0, end) - text.count("*/", 0, end))


def _window_after(suffix: str, language_id: str) -> str | None:
    """Return the beginning of `suffix`, to where something not indented begins; None as above."""
    near = suffix[:MAX_CHARS]
    lines = near.split("\n")
    num_chars = 0
    for idx, line in enumerate(lines):
        if num_chars >= _LEAST_CHARS and not indent_of(line) and _begins(line):
            return "\n".join(lines[:idx]) + "\n"
        num_chars += len(line) + 1
    if len(near) == len(suffix):
        return suffix
    return "\n".join(lines[:-1]) if language_id == "python" else None


def _begins(line: str) -> bool:
    """Say whether `line` can be the first of a definition or statement."""
    return bool(line.strip()) and not line.lstrip(" \t").startswith(_GOES_ON)
