"""Translates what a client sends into plain data: positions, edits, paths and the infill request.

With to_lsp.py the only file that knows both LSP's types and the engine's. Knows nothing of how a
request is answered. Step 2 of the way from keystroke to ghost text.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pygls.uris import to_fs_path

from infill_engine.api import InfillRequest, Snippet
from lsp_server.context import FillMode, fill_mode
from lsp_server.documents import OpenDocument, TextEdit
from lsp_server.positions import PositionEncoding
from lsp_server.speaking.gap import Gap, Selected

if TYPE_CHECKING:
    from lsp_server.settings import ServerSettings

SIDE_CHARS = 200_000
"""Characters sent on each side of the cursor, at most, cut at a line: far more than any token
budget keeps (128 K tokens of code are about 400,000), far less than a keystroke should carry."""

_NOWHERE = 1 << 30  # characters: more than any line has
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def edits_from_changes(
    changes: Iterable[types.TextDocumentContentChangeEvent],
) -> list[TextEdit | str]:
    """Turn a didChange's content changes into edits, in order; a str is a whole new text."""
    edits: list[TextEdit | str] = []
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangePartial):
            start, end = change.range.start, change.range.end
            edits.append(
                TextEdit(start.line, start.character, end.line, end.character, change.text)
            )
        else:
            edits.append(change.text)
    return edits


def sides_of_cursor(
    document: OpenDocument, position: types.Position, encoding: PositionEncoding
) -> tuple[str, str]:
    """Return the text before and after the cursor, with LF line endings.

    Each side is cut to `SIDE_CHARS`, keeping what is nearest the cursor. CR and CRLF become LF,
    which is what models are trained on. Half a surrogate pair, which JSON can carry but UTF-8 can
    not, becomes U+FFFD.
    """
    line_idx, char_offset = document.locate(position.line, position.character, encoding)
    line = document.lines[line_idx]
    before = [line[:char_offset]]
    num_chars = char_offset
    for previous in reversed(document.lines[:line_idx]):
        num_chars += len(previous)
        if num_chars > SIDE_CHARS:
            break
        before.append(previous)
    after = [line[char_offset:]]
    num_chars = len(after[0])
    for following in document.lines[line_idx + 1 :]:
        num_chars += len(following)
        if num_chars > SIDE_CHARS:
            break
        after.append(following)
    prefix = "".join(reversed(before))[-SIDE_CHARS:]
    return _as_sent(prefix), _as_sent("".join(after)[:SIDE_CHARS])


def text_of_range(
    document: OpenDocument, where: types.Range, encoding: PositionEncoding
) -> tuple[str, str, str]:
    """Return the text before, in and after a range, as `sides_of_cursor` gives its sides."""
    prefix, _ = sides_of_cursor(document, where.start, encoding)
    _, suffix = sides_of_cursor(document, where.end, encoding)
    first, begin = document.locate(where.start.line, where.start.character, encoding)
    last, end = document.locate(where.end.line, where.end.character, encoding)
    if first == last:
        selected = document.lines[first][begin:end]
    else:
        between = document.lines[first + 1 : last]
        selected = "".join([document.lines[first][begin:], *between, document.lines[last][:end]])
    return prefix, _as_sent(selected), suffix


def _as_sent(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def relative_path(uri: str, workspace_folders: Sequence[str]) -> str:
    """Return the document's path as the model sees it: inside its workspace folder, else its name.

    Never an absolute path: where a user's files lie is nothing the model needs.
    """
    path = to_fs_path(uri) if uri.startswith("file:") else unquote(urlsplit(uri).path)
    path = path or uri
    for folder_uri in workspace_folders:
        folder = to_fs_path(folder_uri)
        if folder and PurePath(path).is_relative_to(folder):
            return PurePath(path).relative_to(folder).as_posix()
    return PurePath(path).name


def gap_at(document: OpenDocument, position: types.Position, encoding: PositionEncoding) -> Gap:
    """Return the place at a position, which is clamped to the document."""
    return Gap(*sides_of_cursor(document, position, encoding), document.language_id)


def selected_item(
    document: OpenDocument, params: types.InlineCompletionParams, encoding: PositionEncoding
) -> Selected | None:
    """Return the item selected in the client's completion menu, None when there is none.

    One whose range is not on the cursor's line, around the cursor, fits nowhere.
    """
    selected = params.context.selected_completion_info
    if selected is None:
        return None
    line_idx, char_offset = document.locate(
        params.position.line, params.position.character, encoding
    )
    start_line, start = document.locate(
        selected.range.start.line, selected.range.start.character, encoding
    )
    end_line, end = document.locate(selected.range.end.line, selected.range.end.character, encoding)
    if not (start_line == line_idx == end_line and start <= char_offset <= end):
        return Selected(selected.text, _NOWHERE)
    return Selected(selected.text, char_offset - start, end - char_offset)


def build_request(
    document: OpenDocument,
    position: types.Position,
    place: Gap,
    is_invoked: bool,
    encoding: PositionEncoding,
    settings: "ServerSettings",
    workspace_folders: Sequence[str],
    snippets: tuple[Snippet, ...] = (),
) -> InfillRequest:
    """Build the request for `place`, the cursor's or behind an item of the completion menu.

    Who invokes a suggestion by hand gets what there is, however doubtful. `snippets` are what else
    the model is shown, as `SnippetChooser` chose it.
    """
    mode: FillMode
    if settings.mode == "auto":
        view = document.gap_view(*document.locate(position.line, position.character, encoding))
        mode = "line" if view is None else fill_mode(view)
    else:
        mode = settings.mode
    return InfillRequest(
        prefix=place.prefix,
        suffix=place.suffix,
        language_id=document.language_id,
        path=relative_path(document.uri, workspace_folders),
        snippets=snippets,
        mode=mode,
        max_new_tokens=(settings.line_max_tokens if mode == "line" else settings.block_max_tokens),
        deadline_ms=settings.deadline_ms,
        seed=settings.seed,
        least_confidence=0.0 if is_invoked else settings.min_confidence,
    )
