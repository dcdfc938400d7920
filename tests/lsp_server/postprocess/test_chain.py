"""What holds of the whole chain for any text, and that long documents cost no more than short."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.documents import split_lines
from lsp_server.postprocess import clean_middle
from lsp_server.postprocess.gap import Gap
from lsp_server.postprocess.line_endings import line_ending_of, with_line_ending
from lsp_server.postprocess.parsing import GAP, MAX_CHARS, parse_gap
from lsp_server.postprocess.syntax_check import cut_at_syntax_error

PIECES = [
    *"(){}[]:;'\"`\n\t\\#/*<> =.,é😀\ud800\0\r_$",
    *("def f():\n    ", "if a:\n", "return ", "{\n", "}\n", '"""', "x", "end", "0, ", "    "),
]
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
languages = st.sampled_from(["python", "javascript", "typescriptreact", "go", "cobol", "c", ""])


@settings(max_examples=300, deadline=None)
@given(texts, texts, texts, languages)
def test_never_raises_and_never_invents(
    middle: str, prefix: str, suffix: str, language_id: str
) -> None:
    for mode in ("line", "block"):
        shown = clean_middle(middle, prefix, suffix, mode, language_id)
        assert "".join(shown.split()) in "".join(middle.split())
        assert "\r" not in shown and "\0" not in shown
        if mode == "line":
            assert "\n" not in shown


@settings(max_examples=150, deadline=None)
@given(texts, languages)
def test_a_name_in_an_empty_document_is_shown(prefix: str, language_id: str) -> None:
    """The chain may drop much, but never a plain name on a line of its own."""
    assert clean_middle("other_name", prefix + "\n", "\n", "line", language_id) == "other_name"


def test_a_window_of_a_long_document_is_parsed() -> None:
    many = "def f():\n    return 1\n\n\n" * 10_000
    gap = Gap(many + "def g():\n    x = ", "\n    return x\n\n\n" + many, "line", "python")
    parsed = parse_gap(gap)
    assert parsed is not None
    assert len(parsed.tree_with(GAP).root_node.text or b"") <= 2 * MAX_CHARS
    assert parsed.num_errors_without == 0
    assert cut_at_syntax_error("f(1))", gap) == "f(1)"


def test_a_prefix_that_was_cut_inside_a_string() -> None:
    body = 'def f():\n    """Return one.\n\nNot two.\n"""\n    return 1\n\n\n'
    many = 'of this.\n"""\n\n\n' + body * 2_000
    gap = Gap(many + "def g():\n    x = ", "\n    return x\n", "line", "python")
    parsed = parse_gap(gap)
    assert parsed is not None
    assert parsed.head.startswith("def ")
    assert cut_at_syntax_error("f(1))", gap) == "f(1)"


def test_a_minified_line_is_not_parsed() -> None:
    assert parse_gap(Gap("a=1;" * 1000, "b=2;" * 1000, "line", "javascript")) is None


@pytest.mark.parametrize(
    ("text", "ending"),
    [("a\r\nb\n", "\r\n"), ("a\nb\r\n", "\n"), ("a\rb", "\r"), ("a", "\n"), ("", "\n")],
)
def test_the_line_ending_of_a_document(text: str, ending: str) -> None:
    assert line_ending_of(split_lines(text)) == ending
    assert with_line_ending("1\n2\n", ending) == f"1{ending}2{ending}"
