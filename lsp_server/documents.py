"""The open documents, as the editor has them: text kept line by line, edited in place.

Each has a syntax tree, which is told of every edit and parsed only when someone asks.

pygls has such a mirror too, but it splits lines where Python does (form feed, U+2028, ...), while
LSP knows only LF, CRLF and CR: after a form feed, as the standard library of Python has them, every
position would be a line off. Knows nothing of requests, engines or files on disk.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lsp_server.gap_view import GapView, view_in_document
from lsp_server.positions import PositionEncoding, char_offset_from_units
from lsp_server.syntax_tree import LineEdit, SyntaxTree

_LINE_WITH_ENDING = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


def split_lines(text: str) -> list[str]:
    """Split into lines that keep their endings; the last one has none and may be empty."""
    lines = _LINE_WITH_ENDING.findall(text)
    if not lines or lines[-1][-1] in "\r\n":
        lines.append("")
    return lines


def without_ending(line: str) -> str:
    """Return the line without its LF, CRLF or CR."""
    return line.rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class TextEdit:
    """One incremental change: a half-open range in lines and code units, and its new text."""

    start_line: int
    start_units: int
    end_line: int
    end_units: int
    new_text: str


class OpenDocument:
    """One document open in the editor.

    Invariant: `lines` is `split_lines` of the document's text, after every edit.

    Attributes:
        uri: as the client names it.
        language_id: LSP language identifier.
        version: the client's number for the present text.
        lines: the text, each line with its ending.
        num_chars: code points of the whole text.
        is_binary: whether the text held a NUL when it was last sent as a whole.
        syntax: the tree of the text.
    """

    def __init__(self, uri: str, language_id: str, version: int, text: str) -> None:
        self.uri = uri
        self.language_id = language_id
        self.version = version
        self.syntax = SyntaxTree(language_id)
        self._last_view: tuple[int, int, GapView | None] | None = None
        self.replace_all(text)

    @property
    def text(self) -> str:
        """The whole text, joined: linear in its length."""
        return "".join(self.lines)

    def replace_all(self, text: str) -> None:
        """Take `text` as the new content. Modifies: lines, num_chars, is_binary."""
        self.lines = split_lines(text)
        self.is_binary = "\0" in text
        self.num_chars = len(text)
        self.syntax.forget()
        self._last_view = None

    def apply(self, edit: TextEdit, encoding: PositionEncoding) -> LineEdit:
        """Apply one change; positions outside the document are clamped to it.

        Modifies: lines, num_chars, syntax.

        Returns:
            Which lines were replaced.
        """
        start_line, start_char = self.locate(edit.start_line, edit.start_units, encoding)
        end_line, end_char = self.locate(edit.end_line, edit.end_units, encoding)
        if (end_line, end_char) < (start_line, start_char):
            end_line, end_char = start_line, start_char
        head = self.lines[start_line][:start_char]
        tail = self.lines[end_line][end_char:]
        first, last = start_line, end_line
        # A CR and a LF that come to stand side by side are one line ending: take the neighbors in.
        if first > 0 and self.lines[first - 1].endswith("\r"):
            first -= 1
            head = self.lines[first] + head
        if last + 1 < len(self.lines):
            last += 1
            tail += self.lines[last]
        new_lines = split_lines(head + edit.new_text + tail)
        if last + 1 < len(self.lines) and new_lines[-1] == "":
            # Only the document's last line has no ending.
            new_lines.pop()
        num_chars_before = sum(map(len, self.lines[first : last + 1]))
        replaced = LineEdit(first, last + 1 - first, len(new_lines))
        self.syntax.note(replaced, new_lines)
        self._last_view = None
        self.lines[first : last + 1] = new_lines
        self.num_chars += sum(map(len, new_lines)) - num_chars_before
        return replaced

    def gap_view(self, line_idx: int, char_offset: int) -> GapView | None:
        """Return the syntax around a place, None where there is none to see.

        Kept until the next edit, so that asking twice costs nothing.
        """
        if self.is_binary:
            return None
        if self._last_view is None or self._last_view[:2] != (line_idx, char_offset):
            view = view_in_document(self.lines, line_idx, char_offset, self.language_id)
            self._last_view = (line_idx, char_offset, view)
        return self._last_view[2]

    def locate(self, line_idx: int, num_units: int, encoding: PositionEncoding) -> tuple[int, int]:
        """Find a client's position: (line index, char_offset in that line), clamped to the text."""
        if line_idx >= len(self.lines):
            return len(self.lines) - 1, len(self.lines[-1])
        line = without_ending(self.lines[line_idx])
        return line_idx, char_offset_from_units(line, num_units, encoding)


class DocumentStore:
    """All open documents by URI."""

    def __init__(self) -> None:
        self._documents: dict[str, OpenDocument] = {}

    def open(self, document: OpenDocument) -> None:
        """Keep `document`; one that was open under the same URI is replaced."""
        self._documents[document.uri] = document

    def get(self, uri: str) -> OpenDocument | None:
        """Return the document, None when it is not open."""
        return self._documents.get(uri)

    def __iter__(self) -> Iterator[OpenDocument]:
        return iter(tuple(self._documents.values()))

    def close(self, uri: str) -> None:
        """Forget the document; closing one that is not open does nothing."""
        self._documents.pop(uri, None)
