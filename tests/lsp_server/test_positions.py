"""Positions in UTF-8, UTF-16 and UTF-32 code units against code points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.positions import PositionEncoding, char_offset_from_units, count_units

ENCODINGS: tuple[PositionEncoding, ...] = ("utf-8", "utf-16", "utf-32")
PYTHON_CODEC = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}

encodings = st.sampled_from(ENCODINGS)
lines = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")
    | st.sampled_from("aé\t€😀👩‍👩‍👧𝒳")
)


@given(lines, encodings)
def test_units_are_what_the_codec_writes(line: str, encoding: PositionEncoding) -> None:
    codec, num_bytes = PYTHON_CODEC[encoding]
    assert count_units(line, encoding) == len(line.encode(codec)) // num_bytes


@given(lines, encodings, st.data())
def test_round_trip(line: str, encoding: PositionEncoding, data: st.DataObject) -> None:
    char_offset = data.draw(st.integers(0, len(line)))
    num_units = count_units(line[:char_offset], encoding)
    assert char_offset_from_units(line, num_units, encoding) == char_offset


@given(lines, encodings, st.integers(0, 200))
def test_any_count_lands_on_a_character_at_or_before_it(
    line: str, encoding: PositionEncoding, num_units: int
) -> None:
    char_offset = char_offset_from_units(line, num_units, encoding)
    assert 0 <= char_offset <= len(line)
    assert count_units(line[:char_offset], encoding) <= num_units
    if char_offset < len(line):
        assert count_units(line[: char_offset + 1], encoding) > num_units


@pytest.mark.parametrize(
    ("line", "num_units", "encoding", "char_offset"),
    [
        ("x = '😀'", 5, "utf-16", 5),
        ("x = '😀'", 6, "utf-16", 5),  # between the halves of the pair: its start
        ("x = '😀'", 7, "utf-16", 6),
        ("x = '😀'", 9, "utf-8", 6),
        ("x = '😀'", 8, "utf-8", 5),  # a continuation byte
        ("é\té", 3, "utf-8", 2),
        ("\t\tx", 2, "utf-16", 2),  # a tab is one unit
        ("short", 99, "utf-16", 5),
        ("😀", 99, "utf-8", 1),
        ("", 3, "utf-16", 0),
    ],
)
def test_by_hand(line: str, num_units: int, encoding: PositionEncoding, char_offset: int) -> None:
    assert char_offset_from_units(line, num_units, encoding) == char_offset
