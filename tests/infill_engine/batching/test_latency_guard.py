"""When company is worth it: pure arithmetic on what steps have cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infill_engine.batching.latency_guard import LatencyGuard


def guard_that_saw(ms_per_piece: dict[int, float], max_rows: int = 8) -> LatencyGuard:
    guard = LatencyGuard(max_rows)
    for num_rows, cost in ms_per_piece.items():
        for _ in range(20):
            guard.observe(num_rows, 10 * num_rows, cost * 10 * num_rows)
    return guard


def test_nobody_waits_for_an_idle_engine() -> None:
    assert guard_that_saw({1: 1.0, 2: 9.0}, max_rows=1).admits(0)


@pytest.mark.parametrize("max_rows", [1, 2, 5])
def test_never_more_than_the_limit(max_rows: int) -> None:
    guard = LatencyGuard(max_rows)
    assert [guard.admits(num_rows) for num_rows in range(max_rows + 2)] == [
        *([True] * max_rows),
        False,
        False,
    ]


def test_what_was_never_tried_is_tried() -> None:
    assert guard_that_saw({1: 1.0}).admits(1)
    assert guard_that_saw({1: 1.0, 2: 0.5}).admits(2)


def test_rows_join_while_each_makes_the_work_cheaper() -> None:
    guard = guard_that_saw({1: 1.0, 2: 0.7, 3: 0.6, 4: 0.6})
    assert guard.admits(1)
    assert guard.admits(2)
    assert not guard.admits(3), "a fourth row gains nothing"


def test_rows_that_run_in_turn_gain_nothing() -> None:
    """As on a GPU, or in float32: two take twice as long as one."""
    assert not guard_that_saw({1: 1.0, 2: 1.0}).admits(1)


def test_a_single_slow_step_decides_nothing() -> None:
    guard = guard_that_saw({1: 1.0})
    guard.observe(2, 20, 500.0)
    assert guard.admits(1)


def test_what_was_refused_is_tried_again_some_day() -> None:
    guard = guard_that_saw({1: 1.0, 2: 2.0})
    askings = [guard.admits(1) for _ in range(300)]
    assert not any(askings[:100])
    assert any(askings)
    for _ in range(20):
        guard.observe(2, 20, 2.0)  # it has become cheap
    assert all(guard.admits(1) for _ in range(300))


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 200), st.floats(0.0, 1e4)),
        max_size=60,
    ),
    st.integers(1, 6),
)
def test_always_lets_one_in_and_never_too_many(
    steps: list[tuple[int, int, float]], max_rows: int
) -> None:
    guard = LatencyGuard(max_rows)
    for num_rows, num_pieces, step_ms in steps:
        guard.observe(num_rows, num_pieces, step_ms)
        assert guard.admits(0)
        assert not guard.admits(max_rows)
