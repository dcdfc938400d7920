"""What the editors' benchmark makes of painted frames."""

from benchmarks.editors.painted import Frame, Key, faults, latencies


def frames(*states: tuple[str, str]) -> list[Frame]:
    """One every 10 ms, each painted 1 ms later."""
    return [Frame(10.0 * idx + 1, idx, line, ghost) for idx, (line, ghost) in enumerate(states)]


def key(at_ms: float, line: str) -> Key:
    return Key(at_ms, line, is_deletion=False)


def test_growing_and_typed_through_is_no_fault() -> None:
    found = faults(frames(("a", ""), ("a", "bc"), ("a", "bcd"), ("ab", "cd"), ("ab", "cde")))
    assert (found.num_blank, found.num_backward) == (0, 0)


def test_frames_without_ghost_text_between_two_with_it_are_counted() -> None:
    painted = [Frame(1, 0, "a", "bc"), Frame(2, 4, "ab", ""), Frame(3, 7, "ab", "c")]
    assert faults(painted).num_blank == 3


def test_ghost_text_that_gets_shorter_or_another_is_backward() -> None:
    assert faults(frames(("a", "bc"), ("a", "b"))).num_backward == 1
    found = faults(frames(("a", "bc"), ("ab", "x")))
    assert found.num_backward == 1
    assert found.examples == [("abc", "abx")]


def test_what_comes_after_something_else_or_after_its_end_is_another_suggestion() -> None:
    for between in ("ax", "", "abc"):
        found = faults(frames(("a", "bc"), (between, ""), (between, "new")))
        assert (found.num_blank, found.num_backward) == (0, 0)


def test_a_suggestion_that_ends_for_good_is_not_blank() -> None:
    assert faults(frames(("a", "bc"), ("a", ""), ("a", ""))).num_blank == 0


def test_a_key_is_timed_to_its_character_and_to_its_ghost_text() -> None:
    painted = frames(("", ""), ("a", ""), ("a", "bc"), ("ab", "c"), ("ab", "cd"))
    found = latencies([key(2.0, "a"), key(25.0, "ab")], painted)
    assert found.echo == [9.0, 6.0]
    assert found.asked == [19.0]
    assert found.typed_through == [6.0]


def test_keys_without_ghost_text_and_deletions_count_as_none() -> None:
    painted = frames(("", ""), ("a", ""), ("", ""), ("", "x"))
    found = latencies([key(2.0, "a"), Key(12.0, "", is_deletion=True)], painted)
    assert found.echo == [9.0]
    assert found.asked == found.typed_through == []
