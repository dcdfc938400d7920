"""Answers found again by the text around them, within a bound."""

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.speaking.gap import Gap
from lsp_server.speaking.neighbours import (
    KEY_LINES,
    KEY_SUFFIX_CHARS,
    LOOK_BACK_CHARS,
    Neighbours,
    Remembered,
)

URI = "file:///a.py"
GAP = Gap("def f():\n    return ", "\n", "python")


def remembering(text: str = "a + b", gap: Gap = GAP) -> Neighbours:
    neighbours = Neighbours()
    neighbours.remember(URI, gap, Remembered(text, 0.9))
    return neighbours


def test_coming_back_answers() -> None:
    assert remembering().recall(URI, GAP) == Remembered("a + b", 0.9)


def test_another_place_document_or_language_does_not() -> None:
    neighbours = remembering()
    assert neighbours.recall("file:///b.py", GAP) is None
    assert neighbours.recall(URI, Gap(GAP.prefix, GAP.suffix, "go")) is None
    assert neighbours.recall(URI, Gap(GAP.prefix, "x" + GAP.suffix, "python")) is None
    assert neighbours.recall(URI, Gap(GAP.prefix[:-1], GAP.suffix, "python")) is None


def test_far_changes_do_not_matter() -> None:
    lines = "".join(f"line {idx}\n" for idx in range(KEY_LINES + 5))
    gap = Gap("one\n" + lines, "s" * KEY_SUFFIX_CHARS + "old", "python")
    moved = Gap("two\n" + lines, "s" * KEY_SUFFIX_CHARS + "new", "python")
    assert remembering(gap=gap).recall(URI, moved) is not None


def test_what_was_typed_since_is_taken_off() -> None:
    neighbours = remembering("\n        x = 1")
    assert neighbours.recall(URI, GAP.filled("\n        x")) == Remembered(" = 1", 0.9)
    assert neighbours.recall(URI, GAP.filled("y")) is None
    assert neighbours.recall(URI, GAP.filled("\n        x = 1")) is None
    long = remembering("z" * (LOOK_BACK_CHARS + 2))
    assert long.recall(URI, GAP.filled("z" * LOOK_BACK_CHARS)) == Remembered("zz", 0.9)
    assert long.recall(URI, GAP.filled("z" * (LOOK_BACK_CHARS + 1))) is None


def test_the_longest_unused_go_first() -> None:
    neighbours = Neighbours(max_bytes=700)
    places = [Gap(f"{idx} = ", "\n") for idx in range(4)]
    for place in places[:3]:
        neighbours.remember(URI, place, Remembered("1"))
    neighbours.recall(URI, places[0])
    neighbours.remember(URI, places[3], Remembered("1"))
    known = [neighbours.recall(URI, place) is not None for place in places]
    assert known == [True, False, True, True]


def test_an_answer_larger_than_everything_is_not_kept() -> None:
    neighbours = Neighbours(max_bytes=1000)
    neighbours.remember(URI, GAP, Remembered("x" * 2000))
    assert (len(neighbours), neighbours.num_bytes) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=300)), max_size=40))
def test_never_above_the_bound_and_empty_when_cleared(kept: list[tuple[int, str]]) -> None:
    neighbours = Neighbours(max_bytes=1500)
    for place, text in kept:
        neighbours.remember(URI, Gap(str(place), ""), Remembered(text))
        assert 0 <= neighbours.num_bytes <= 1500
    neighbours.clear()
    assert (len(neighbours), neighbours.num_bytes) == (0, 0)
