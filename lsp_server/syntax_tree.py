"""The syntax tree of one open document, kept in step with its edits and parsed only when asked.

The tree is of the text with LF line endings, in UTF-8: so a row of the tree is a line of the
document whatever its endings are, and columns count bytes. A parse that takes too long is put
aside and goes on at the next question, even when the text has changed meanwhile; until it is done,
the tree before, moved along with the edits, is a good guess. Knows nothing of what the nodes mean.

A tree brought up to date equals one parsed from scratch, except within code that does not parse:
there tree-sitter may guess the error's place differently.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tree_sitter import Parser, Point, Tree

from lsp_server.grammars import parser_for

BUDGET_MS = 2.0
"""For one question. A parse from scratch takes about 40 ms for 10,000 lines; bringing a tree up to
date mostly 0.3 ms, but half as long as from scratch when a quote is opened."""

_CHUNK_LINES = 16
_MAX_WAITING_EDITS = 2_000  # a formatter's; beyond that a parse from scratch is cheaper


@dataclass(frozen=True, slots=True)
class LineEdit:
    """`num_old` lines from `first` on were replaced by `num_new` lines."""

    first: int
    num_old: int
    num_new: int


def line_bytes(line: str) -> int:
    """Count the bytes of a line as the tree has it: UTF-8, its ending one LF."""
    text = line.rstrip("\r\n")
    # errors="replace": a lone surrogate, which JSON can carry, has no UTF-8 form.
    num_bytes = len(text) if text.isascii() else len(text.encode(errors="replace"))
    return num_bytes + (len(text) != len(line))


def _bytes_of_lines(lines: Sequence[str]) -> list[int]:
    # The first case is `line_bytes` without a call: 100,000 lines take 8 ms instead of 30.
    return [
        len(line) if line.isascii() and "\r" not in line else line_bytes(line) for line in lines
    ]


_TreeEdit = tuple[int, int, int, Point, Point, Point]
"""The arguments of `Tree.edit`: start, old end, new end in bytes; likewise as points."""


class SyntaxTree:
    """The tree of one document.

    Use from one thread. The owner reports every edit and passes the present lines, each with its
    ending, when it asks.
    """

    def __init__(self, language_id: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self._parser: Parser | None = parser_for(language_id)
        self._clock = clock
        self._tree: Tree | None = None
        self._line_bytes: list[int] = []
        self._put_aside: list[str] | None = None
        self._is_current = False
        self._since_put_aside: list[_TreeEdit] = []
        self._num_waiting = 0
        self._known_line = 0
        self._known_byte = 0

    @property
    def has_grammar(self) -> bool:
        """Whether there can be a tree at all."""
        return self._parser is not None

    def forget(self) -> None:
        """Start over: the whole text is new."""
        self._tree = None
        self._is_current = False
        self._put_aside = None
        self._since_put_aside.clear()
        self._num_waiting = 0
        if self._parser is not None:
            self._parser.reset()

    def note(self, edit: LineEdit, new_lines: Sequence[str]) -> None:
        """Take note that lines were replaced by `new_lines`; costs a twentieth of a millisecond."""
        if self._tree is None and self._put_aside is None:
            return
        if self._num_waiting >= _MAX_WAITING_EDITS:
            self.forget()
            return
        self._num_waiting += 1
        change = self._change_lines(edit, _bytes_of_lines(new_lines))
        self._is_current = False
        if self._tree is not None:
            self._tree.edit(*change)
        if self._put_aside is not None:
            self._since_put_aside.append(change)

    @property
    def latest(self) -> Tree | None:
        """The last tree, moved along with the edits since; what these wrote is not in it."""
        return self._tree

    def byte_of(self, lines: Sequence[str], line_idx: int, char_offset: int) -> int:
        """Return a place's byte in the tree; there must be one."""
        return self._byte_of_line(line_idx) + line_bytes(lines[line_idx][:char_offset])

    def parse(self, lines: list[str], budget_ms: float | None = BUDGET_MS) -> Tree | None:
        """Return the tree of `lines`, None when there is no grammar or not enough time.

        Args:
            lines: the document's present lines.
            budget_ms: milliseconds after which the parse is put aside; asking again goes on with
                it. None takes the time that it takes.
        """
        if self._parser is None:
            return None
        ends_at = None if budget_ms is None else self._clock() + budget_ms / 1000
        if self._put_aside is not None and not self._go_on(self._put_aside, ends_at):
            return None
        if not self._is_current:
            if self._tree is None:
                self._line_bytes = _bytes_of_lines(lines)
                self._known_line = self._known_byte = 0
            self._num_waiting = 0
            if not self._go_on(lines, ends_at):
                return None
        return self._tree

    def _go_on(self, lines: list[str], ends_at: float | None) -> bool:
        """Parse, or go on parsing, `lines`; says whether it came to an end."""
        assert self._parser is not None
        tree = _parse(self._parser, _reader(lines), self._tree, self._clock, ends_at)
        if tree is None:
            if self._put_aside is None:
                self._put_aside = list(lines)
            return False
        self._tree = tree
        self._is_current = not self._since_put_aside
        for change in self._since_put_aside:
            tree.edit(*change)
        self._since_put_aside.clear()
        self._put_aside = None
        return True

    def _change_lines(self, edit: LineEdit, new_bytes: list[int]) -> _TreeEdit:
        """Bring `_line_bytes` up to date; returns the edit as the tree wants it."""
        old_stop, new_stop = edit.first + edit.num_old, edit.first + edit.num_new
        start = self._byte_of_line(edit.first)
        old_end = start + sum(self._line_bytes[edit.first : old_stop])
        old_point = self._point_of_line(old_stop)
        self._line_bytes[edit.first : old_stop] = new_bytes
        new_end = start + sum(new_bytes)
        new_point = self._point_of_line(new_stop)
        return start, old_end, new_end, Point(edit.first, 0), old_point, new_point

    def _point_of_line(self, line_idx: int) -> Point:
        """Return where a line begins; behind the last line, where that ends."""
        if line_idx < len(self._line_bytes):
            return Point(line_idx, 0)
        return Point(len(self._line_bytes) - 1, self._line_bytes[-1])

    def _byte_of_line(self, line_idx: int) -> int:
        """Return a line's first byte, counted from the last line asked for: places are near."""
        known = min(self._known_line, len(self._line_bytes))
        if known != self._known_line:
            known, self._known_byte = 0, 0
        if line_idx >= known:
            self._known_byte += sum(self._line_bytes[known:line_idx])
        else:
            self._known_byte -= sum(self._line_bytes[line_idx:known])
        self._known_line = line_idx
        return self._known_byte


def _parse(
    parser: Parser,
    read: Callable[[int, Point], bytes],
    old_tree: Tree | None,
    clock: Callable[[], float],
    ends_at: float | None,
) -> Tree | None:
    def is_late(_offset: int, _has_error: bool) -> bool:
        return ends_at is not None and clock() > ends_at

    try:
        if old_tree is None:
            return parser.parse(read, progress_callback=is_late)
        return parser.parse(read, old_tree, progress_callback=is_late)
    except ValueError:  # how the library says that the callback stopped it
        return None


def _reader(lines: list[str]) -> Callable[[int, Point], bytes]:
    """Return what reads `lines` for the parser."""

    def read(_offset: int, point: Point) -> bytes:
        text = "".join(lines[point.row : point.row + _CHUNK_LINES])
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text.encode(errors="replace")[point.column :]

    return read
