"""The two translators: what a client sends into plain data, and text into LSP's items."""

import pytest
from lsprotocol import types

from infill_engine.api import InfillRequest, Snippet
from lsp_server import from_lsp
from lsp_server.documents import OpenDocument, TextEdit
from lsp_server.from_lsp import (
    build_request,
    edits_from_changes,
    gap_at,
    relative_path,
    sides_of_cursor,
)
from lsp_server.settings import ServerSettings
from lsp_server.to_lsp import inline_completions, replaces_from_line_start


def document(text: str, language_id: str = "python") -> OpenDocument:
    return OpenDocument("file:///project/a.py", language_id, 1, text)


@pytest.mark.parametrize(
    ("text", "line", "character", "prefix", "suffix"),
    [
        ("", 0, 0, "", ""),
        ("ab", 0, 1, "a", "b"),
        ("ab\ncd", 1, 1, "ab\nc", "d"),
        ("ab\r\ncd\rx", 1, 1, "ab\nc", "d\nx"),
        ("ab\r\ncd", 0, 99, "ab", "\ncd"),  # past the line's end
        ("ab\ncd", 99, 0, "ab\ncd", ""),  # past the last line
        ("'😀'\n", 0, 3, "'😀", "'\n"),
        ("'😀'\n", 0, 2, "'", "😀'\n"),  # in the middle of the pair
        ("\tx", 0, 1, "\t", "x"),
        ("a\ud83d|", 0, 2, "a\ufffd", "|"),  # half a pair, as JSON can carry it
    ],
)
def test_sides(text: str, line: int, character: int, prefix: str, suffix: str) -> None:
    position = types.Position(line, character)
    assert sides_of_cursor(document(text), position, "utf-16") == (prefix, suffix)


def test_far_text_is_cut_at_lines_and_never_near_the_cursor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(from_lsp, "SIDE_CHARS", 10)
    prefix, suffix = sides_of_cursor(
        document("111\n222\n333\n444\n555\n666\n"), types.Position(3, 2), "utf-16"
    )
    assert (prefix, suffix) == ("222\n333\n44", "4\n555\n666\n"[:10])
    prefix, suffix = sides_of_cursor(document("x" * 100), types.Position(0, 50), "utf-16")
    assert (prefix, suffix) == ("x" * 10, "x" * 10)


def test_edits() -> None:
    range_ = types.Range(types.Position(1, 2), types.Position(3, 4))
    changes = [
        types.TextDocumentContentChangePartial(range=range_, text="new"),
        types.TextDocumentContentChangeWholeDocument("all"),
    ]
    assert edits_from_changes(changes) == [TextEdit(1, 2, 3, 4, "new"), "all"]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///project/src/a%20b.py", "src/a b.py"),
        ("file:///home/someone/secret/a.py", "a.py"),
        ("untitled:Untitled-1", "Untitled-1"),
    ],
)
def test_paths_stay_inside_the_workspace(uri: str, path: str) -> None:
    assert relative_path(uri, ["file:///other", "file:///project"]) == path


def request_at(
    opened: OpenDocument,
    position: types.Position,
    settings: ServerSettings,
    is_invoked: bool = False,
    snippets: tuple[Snippet, ...] = (),
) -> InfillRequest:
    place = gap_at(opened, position, "utf-16")
    return build_request(opened, position, place, is_invoked, "utf-16", settings, [], snippets)


@pytest.mark.parametrize(
    ("settings", "mode", "max_new_tokens"),
    [
        (ServerSettings(), "block", 128),
        (ServerSettings(mode="line", line_max_tokens=7), "line", 7),
        (ServerSettings(mode="block", block_max_tokens=9), "block", 9),
    ],
)
def test_settings_reach_the_request(
    settings: ServerSettings, mode: str, max_new_tokens: int
) -> None:
    request = request_at(document("def f():\n    "), types.Position(1, 4), settings)
    assert (request.mode, request.max_new_tokens) == (mode, max_new_tokens)
    assert request.deadline_ms == settings.deadline_ms
    assert request.seed == settings.seed
    assert request.least_confidence == settings.min_confidence


def test_who_asks_by_hand_gets_what_is_doubtful_too() -> None:
    position = types.Position(0, 4)
    request = request_at(document("x = "), position, ServerSettings(), is_invoked=True)
    assert request.least_confidence == 0


def test_snippets_and_the_mode_by_syntax_reach_the_request() -> None:
    snippets = (Snippet("b.py", "x = 1"),)
    text = "😀 = 1\r\ndef f():\r\n    \r\n"
    request = request_at(document(text), types.Position(2, 4), ServerSettings(), snippets=snippets)
    assert request.snippets == snippets
    assert request.mode == "block"


def test_nothing_is_null_and_never_an_empty_list() -> None:
    assert inline_completions("", types.Position(0, 0)) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Visual Studio Code", True),
        ("Visual Studio Code - Insiders", True),
        ("code-server", True),
        ("VSCodium", True),
        ("Cursor", True),
        ("Neovim", False),
        ("emacs", False),
        ("My Visual Studio Code", False),
    ],
)
def test_ranges_by_client(name: str, expected: bool) -> None:
    assert replaces_from_line_start(types.ClientInfo(name)) is expected
    assert not replaces_from_line_start(None)


def test_an_item_may_replace_the_line_before_the_cursor() -> None:
    (item,) = inline_completions("f(a)", types.Position(3, 9), line_start="    x = ") or []
    assert item.insert_text == "    x = f(a)"
    assert item.range == types.Range(types.Position(3, 0), types.Position(3, 9))


def test_an_item_replaces_nothing() -> None:
    position = types.Position(3, 7)
    items = inline_completions("a\nb", position)
    assert items == [
        types.InlineCompletionItem(insert_text="a\nb", range=types.Range(position, position))
    ]
