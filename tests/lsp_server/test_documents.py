"""The mirror of open documents against a plain string that is edited the same way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.documents import OpenDocument, TextEdit, split_lines
from lsp_server.positions import PositionEncoding, count_units

# Everything that some splitter takes for a line ending; LSP knows the first three only.
PIECES = ["a", "b", " ", "\t", "é", "😀", "\n", "\r", "\r\n", "\f", "\u2028"]
texts = st.lists(st.sampled_from(PIECES)).map("".join)


def open_document(text: str) -> OpenDocument:
    return OpenDocument("file:///a.py", "python", 1, text)


def client_position(text: str, offset: int, encoding: PositionEncoding) -> tuple[int, int]:
    """The position of `offset` as a client counts it."""
    lines = split_lines(text[:offset])
    return len(lines) - 1, count_units(lines[-1], encoding)


@given(texts)
def test_lines_join_to_the_text_and_end_in_one_without_ending(text: str) -> None:
    lines = split_lines(text)
    assert "".join(lines) == text
    assert all(line.endswith(("\n", "\r")) for line in lines[:-1])
    assert not lines[-1].endswith(("\n", "\r"))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a\n", ""]),
        ("a\r\nb", ["a\r\n", "b"]),
        ("a\rb\r", ["a\r", "b\r", ""]),
        ("\r\n\r\n", ["\r\n", "\r\n", ""]),
        ("a\fb\x0bc\u2028d\n", ["a\fb\x0bc\u2028d\n", ""]),
    ],
)
def test_only_lf_crlf_and_cr_end_a_line(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


@settings(max_examples=300)
@given(
    texts,
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), texts), max_size=6),
    st.sampled_from(["utf-8", "utf-16", "utf-32"]),
)
def test_edits_are_what_they_are_on_a_plain_string(
    text: str, edits: list[tuple[float, float, str]], encoding: PositionEncoding
) -> None:
    document = open_document(text)
    for left, right, new_text in edits:
        start, end = sorted((round(left * len(text)), round(right * len(text))))
        if text[start - 1 : start + 1] == "\r\n":
            start -= 1  # no client's position lies inside a line ending
        if text[end - 1 : end + 1] == "\r\n":
            end += 1
        document.apply(
            TextEdit(
                *client_position(text, start, encoding),
                *client_position(text, end, encoding),
                new_text,
            ),
            encoding,
        )
        text = text[:start] + new_text + text[end:]
        assert document.lines == split_lines(text)
        assert document.num_chars == len(text)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (TextEdit(0, 99, 0, 99, "!"), "one!\r\ntwo"),  # past the line's end: before its ending
        (TextEdit(99, 0, 99, 0, "!"), "one\r\ntwo!"),  # past the last line: the document's end
        (TextEdit(1, 2, 0, 1, "!"), "one\r\ntw!o"),  # reversed: taken as an insertion
    ],
)
def test_positions_outside_are_clamped(edit: TextEdit, expected: str) -> None:
    document = open_document("one\r\ntwo")
    document.apply(edit, "utf-16")
    assert document.text == expected
