"""The tree of an edited document against one parsed from scratch."""

import random
from collections.abc import Callable

import pytest
from tree_sitter import Tree

from lsp_server.context import position_kind
from lsp_server.documents import OpenDocument, TextEdit, split_lines
from lsp_server.gap_view import MAX_DEPTH
from lsp_server.grammars import ALIASES, GRAMMARS, parser_for
from lsp_server.languages import syntax_of
from lsp_server.syntax_tree import SyntaxTree

PYTHON = '''import os

class Café:
    """Doc 😀."""

    def f(self, a):
        return {"x": [a, 1], "é": f"{a}b"}

def g(x):
    if x:
        return f(x)  # why 😀
'''
JAVASCRIPT = """class A { m(a) { return `x ${a}` + "é"; } }
function g() { if (x) { y(); } else { z = [1, {a: "😀"}]; } }
"""
PIECES = [*"(){}[]:\"'`#/=.,x1é😀", "\n", "\r\n", "\r", "    ", "def f(x):\n", "return ", "{\n}"]


def nodes(tree: Tree) -> list[tuple[object, ...]]:
    """Every node: type, bytes, points and whether it was made up."""
    found: list[tuple[object, ...]] = []
    cursor = tree.walk()
    while True:
        node = cursor.node
        assert node is not None
        found.append(
            (node.type, node.byte_range, node.start_point, node.end_point, node.is_missing)
        )
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return found


def from_scratch(document: OpenDocument) -> Tree:
    parser = parser_for(document.language_id)
    assert parser is not None
    text = document.text.replace("\r\n", "\n").replace("\r", "\n")
    return parser.parse(text.encode(errors="replace"))


def parsed(document: OpenDocument, budget_ms: float | None = None) -> Tree:
    tree = document.syntax.parse(document.lines, budget_ms)
    assert tree is not None
    return tree


def random_edit(document: OpenDocument, choose: random.Random) -> TextEdit:
    line = choose.randrange(len(document.lines))
    end_line = min(line + choose.choice([0, 0, 0, 0, 1, 3]), len(document.lines) - 1)
    start = choose.randint(0, len(document.lines[line].rstrip("\r\n")))
    end = choose.randint(0, len(document.lines[end_line].rstrip("\r\n")))
    if line == end_line and choose.random() < 0.7:
        end = start
    return TextEdit(line, start, end_line, end, choose.choice(PIECES))


@pytest.mark.parametrize(("language_id", "text"), [("python", PYTHON), ("javascript", JAVASCRIPT)])
def test_edited_equals_parsed_from_scratch(language_id: str, text: str) -> None:
    choose = random.Random(1)
    num_compared = num_guessed_otherwise = 0
    for _ in range(25):
        document = OpenDocument("file:///a", language_id, 1, text)
        parsed(document)
        for _ in range(20):
            for _ in range(choose.choice([1, 1, 3])):
                document.apply(random_edit(document, choose), "utf-32")
            tree, fresh = parsed(document), from_scratch(document)
            num_compared += 1
            if nodes(tree) != nodes(fresh):
                # Only where an error stands may tree-sitter see it in another place.
                assert fresh.root_node.has_error
                assert tree.root_node.has_error
                assert tree.root_node.end_byte == fresh.root_node.end_byte
                num_guessed_otherwise += 1
    assert num_guessed_otherwise <= num_compared * 0.02


@pytest.mark.parametrize("text", ["a = 1\r\nb = '😀é'\r\n", "a = 1\rb = 'é'\r", "a = '\ud800'\n"])
def test_line_endings_and_wide_characters(text: str) -> None:
    document = OpenDocument("file:///a.py", "python", 1, text)
    parsed(document)
    document.apply(TextEdit(1, 0, 1, 0, "c = '😀'\r\n"), "utf-16")
    document.apply(TextEdit(0, 0, 0, 0, "d = 2\n"), "utf-16")
    assert nodes(parsed(document)) == nodes(from_scratch(document))


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that goes on at every look."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += seconds
        return now

    return clock


def test_ten_thousand_edits_against_a_plain_text() -> None:
    """The same text as a plain string edited alongside, and the same tree as from scratch.

    Lines come and go; in between something is typed anywhere and taken back, so that the code is
    whole again whenever the trees are compared.
    """
    choose = random.Random(7)
    text = "".join(f"def f{i}(a, b):\n    return a + {i}\n\n" for i in range(40))
    document = OpenDocument("file:///a.py", "python", 1, text)
    typed = [piece for piece in PIECES if "\r" not in piece]  # a CR could join what follows
    num_edits = 0

    def edit(start: int, end: int, new_text: str) -> None:
        nonlocal text, num_edits
        where = (*_place(text, start), *_place(text, end))
        document.apply(TextEdit(*where, new_text), "utf-32")
        text = text[:start] + new_text + text[end:]
        num_edits += 1

    while num_edits < 10_000:
        if choose.random() < 0.5:
            starts = [0, *(idx + 1 for idx, char in enumerate(text) if char == "\n")]
            start = choose.choice(starts)
            if len(text) < 6_000:
                edit(start, start, choose.choice(["# note 😀\n", "# é\r\n", "\n"]))
            elif text[start : start + 1] == "#":
                edit(start, text.index("\n", start) + 1, "")
        else:
            start = choose.randrange(len(text))
            end = min(len(text), start + choose.choice([0, 0, 1, 3, 80]))
            start, end = _outside_endings(text, start), _outside_endings(text, end)
            before, new_text = text[start:end], choose.choice(typed)
            edit(start, end, new_text)
            parsed(document)
            edit(start, start + len(new_text), before)
        if num_edits % 50 == 0:
            assert document.text == text
    assert document.text == text
    tree, scratch = parsed(document), from_scratch(document)
    assert not scratch.root_node.has_error, "the edits were to leave whole code"
    assert nodes(tree) == nodes(scratch)


def _outside_endings(text: str, offset: int) -> int:
    """No client's position lies between CR and LF."""
    return offset + 1 if text[offset - 1 : offset + 1] == "\r\n" else offset


def _place(text: str, offset: int) -> tuple[int, int]:
    lines = split_lines(text[:offset])
    return len(lines) - 1, len(lines[-1])


def test_a_long_parse_goes_on_after_edits() -> None:
    document = OpenDocument("file:///a.py", "python", 1, PYTHON * 300)
    # Each look at the clock takes a tenth of the budget: many questions until the tree is there.
    document.syntax = SyntaxTree("python", ticking(0.0004))
    num_asked = 1
    while document.syntax.parse(document.lines) is None:
        if num_asked < 30:
            document.apply(TextEdit(0, 0, 0, 0, "x"), "utf-32")
        num_asked += 1
        assert num_asked < 1_000
    assert num_asked > 30
    assert nodes(parsed(document)) == nodes(from_scratch(document))


def test_more_edits_than_are_kept_mean_a_new_parse() -> None:
    document = OpenDocument("file:///a.py", "python", 1, PYTHON)
    parsed(document)
    for _ in range(2_500):
        document.apply(TextEdit(0, 0, 0, 0, "x"), "utf-32")
    assert nodes(parsed(document)) == nodes(from_scratch(document))


def test_the_view_has_the_gap_and_the_tree_has_not() -> None:
    document = OpenDocument("file:///a.py", "python", 1, PYTHON.replace("\n", "\r\n"))
    before = nodes(parsed(document))
    view = document.gap_view(6, len('        return {"x": [a'))
    assert view is not None
    innermost = view.path[-1]
    assert innermost.type == "identifier"
    assert innermost.byte_range == (view.gap_byte - 1, view.gap_end_byte)
    assert view.rest_of_line == ', 1], "é": f"{a}b"}'
    assert nodes(parsed(document)) == before


def test_a_window_does_not_begin_within_a_docstring() -> None:
    prose = "    It's said that a string's quote is a quote.\n" * 60
    function = f'def f():\n    """Doc.\n\n{prose}    """\n    return 1\n\n\n'
    document = OpenDocument("file:///a.py", "python", 1, function * 20 + "x = f(1)\n")
    for line_idx, line in enumerate(document.lines):
        if line.startswith(("    return", "x =")):
            assert position_kind(document.gap_view(line_idx, 8)) == "code"


@pytest.mark.parametrize("language_id", [*GRAMMARS, *ALIASES])
def test_every_language_has_a_grammar_and_a_table(language_id: str) -> None:
    assert parser_for(language_id) is not None
    assert syntax_of(language_id) is not None


@pytest.mark.parametrize("name", GRAMMARS)
def test_every_node_type_in_the_table_exists(name: str) -> None:
    syntax, parser = syntax_of(name), parser_for(name)
    assert syntax is not None
    assert parser is not None
    assert parser.language is not None
    kinds = {
        parser.language.node_kind_for_id(kind_id)
        for kind_id in range(parser.language.node_kind_count)
    }
    named = syntax.bodies | syntax.comments | syntax.strings | syntax.interpolations
    assert not (named | syntax.definitions | syntax.wrappers | syntax.imports) - kinds


@pytest.mark.parametrize("language_id", ["cobol", "", "plaintext"])
def test_other_languages_are_plain_text(language_id: str) -> None:
    document = OpenDocument("file:///a", language_id, 1, "x {\n")
    assert document.syntax.parse(document.lines) is None
    assert document.gap_view(0, 1) is None


@pytest.mark.parametrize(
    ("language_id", "text"),
    [
        ("python", "(" * 20_000),
        ("json", "[" * 50_000),
        ("javascript", "a(" * 10_000 + "\n" + ")" * 10_000),
        ("html", "<div>\n" * 3_000),
        ("python", "x = 1;" * 200_000),
        ("typescript", "\0\ufffd" * 5_000),
    ],
)
def test_deep_long_and_binary_texts_are_survived(language_id: str, text: str) -> None:
    document = OpenDocument("file:///a", language_id, 1, text)
    for line_idx in (0, len(document.lines) - 1):
        view = document.gap_view(line_idx, len(document.lines[line_idx]) // 2)
        assert view is None or len(view.path) <= MAX_DEPTH
    assert document.lines == split_lines(text)
