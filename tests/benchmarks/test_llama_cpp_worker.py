"""The pure parts of llama.cpp's process: prompts, tokens by their bytes, where a line ends."""

import pytest

from benchmarks.llama_cpp_worker import PieceIndex, kept_tail, line_in, num_common


def test_a_long_prompt_loses_whole_strides_from_its_beginning() -> None:
    assert kept_tail(range(64), 64) == list(range(64))
    assert kept_tail(range(65), 64) == list(range(8, 65))
    assert kept_tail(range(72), 64) == list(range(8, 72))
    assert kept_tail(range(73), 64) == list(range(16, 73))


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [([], [1], 0), ([1, 2, 3], [1, 2, 4], 2), ([1, 2], [1, 2, 3], 2), ([2], [1], 0)],
)
def test_the_cache_serves_the_common_beginning(
    one: list[int], other: list[int], length: int
) -> None:
    assert num_common(one, other) == num_common(other, one) == length


@pytest.mark.parametrize(
    ("written", "num_given", "line"),
    [
        (b"    return 1", 0, None),
        (b"    return 1\n    more", 0, b"    return 1"),
        (b"\n   ", 1, None),  # the newline was the prompt's
        (b"\n    x = 1\n", 1, b"    x = 1"),
        (b"\n\n", 1, b""),
        (b"", 0, None),
    ],
)
def test_a_line_ends_at_its_first_newline(
    written: bytes, num_given: int, line: bytes | None
) -> None:
    assert line_in(written, num_given) == line


def test_tokens_are_found_by_their_first_bytes() -> None:
    index = PieceIndex([b"", b"\n", b" x", b"\n  ", b"\n\n", b"x", b"", b"\xff"])
    assert sorted(index.beginning_with(b"\n")) == [1, 3, 4]
    assert index.beginning_with(b"\xff") == [7]
    assert index.beginning_with(b"y") == []
    assert index[3] == b"\n  "
