"""Counts code units: the three position encodings of LSP against code points within one line.

LSP counts a position's `character` in UTF-8, UTF-16 or UTF-32 code units, as negotiated; Python
counts code points. Knows only single lines of text; knows nothing of documents or of LSP's types.
"""

from bisect import bisect_right
from itertools import accumulate
from typing import Literal

PositionEncoding = Literal["utf-8", "utf-16", "utf-32"]


def units_of_char(char: str, encoding: PositionEncoding) -> int:
    """Count the code units that one code point takes, 1 to 4."""
    code_point = ord(char)
    if encoding == "utf-32":
        return 1
    if encoding == "utf-16":
        return 2 if code_point > 0xFFFF else 1
    if code_point < 0x80:
        return 1
    if code_point < 0x800:
        return 2
    return 3 if code_point < 0x10000 else 4


def count_units(text: str, encoding: PositionEncoding) -> int:
    """Count the code units of `text`."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    return sum(units_of_char(char, encoding) for char in text)


def char_offset_from_units(line: str, num_units: int, encoding: PositionEncoding) -> int:
    """Turn a count of code units from the line's start into an offset in code points.

    Args:
        line: one line, without its line ending.
        num_units: code units from the line's start, as the client counts them.
        encoding: what `num_units` counts.

    Returns:
        0 to len(line). A count past the end is the line's end, as the LSP specification says.
        A count in the middle of a character (half a surrogate pair, a UTF-8 continuation byte)
        is that character's start, so that no character is ever split.
    """
    if encoding == "utf-32" or line.isascii():
        return min(max(num_units, 0), len(line))
    ends = list(accumulate(units_of_char(char, encoding) for char in line))
    return bisect_right(ends, num_units)
