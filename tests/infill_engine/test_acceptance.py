"""Entropy-bound acceptance: cases worked out by hand, and what must hold for any input."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infill_engine.acceptance import accept_leading, accept_surest


@pytest.mark.parametrize(
    ("entropies", "bound", "expected"),
    [
        # Sorted 0.01 0.02 0.30 0.90: sums before each are 0, 0.01, 0.03, 0.33.
        ([0.30, 0.01, 0.90, 0.02], 0.1, [True, True, False, True]),
        ([0.30, 0.01, 0.90, 0.02], 0.02, [False, True, False, True]),
        ([5.0, 6.0, 7.0, 8.0], 0.1, [True, False, False, False]),
        ([0.0, 0.0, 0.0, 0.0], 0.1, [True, True, True, True]),
    ],
)
def test_hand_computed(entropies: list[float], bound: float, expected: list[bool]) -> None:
    assert accept_surest(torch.tensor([entropies]), bound)[0].tolist() == expected


@given(
    st.lists(st.floats(0, 12, width=32), min_size=1, max_size=40),
    st.floats(0.001, 5),
    st.floats(0.001, 5),
)
def test_any_input(entropies: list[float], bound: float, other_bound: float) -> None:
    entropy = torch.tensor([entropies])
    low, high = sorted([bound, other_bound])
    few, many = accept_surest(entropy, low)[0], accept_surest(entropy, high)[0]
    assert few.any(), "at least one position is accepted"
    assert not (few & ~many).any(), "a larger bound accepts no less"
    if not few.all():
        assert entropy[0][few].max() <= entropy[0][~few].min(), "the most certain come first"


@pytest.mark.parametrize(
    ("entropies", "bound", "expected"),
    [
        # Sums of a run less its largest: 0, 0.01, 0.03, 0.33.
        ([0.30, 0.01, 0.02, 0.90], 0.1, [True, True, True, False]),
        # A sure position behind an unsure one waits for its turn.
        ([0.30, 0.90, 0.01, 0.02], 0.1, [True, False, False, False]),
        # Pinned positions hold no entropy: the first open one is always accepted.
        ([0.0, 0.0, 6.0, 7.0], 0.1, [True, True, True, False]),
        ([0.0, 0.0, 0.0, 0.0], 0.1, [True, True, True, True]),
    ],
)
def test_leading_hand_computed(entropies: list[float], bound: float, expected: list[bool]) -> None:
    assert accept_leading(torch.tensor([entropies]), bound)[0].tolist() == expected


@given(
    st.lists(st.floats(0, 12, width=32), min_size=1, max_size=40),
    st.floats(0.001, 5),
    st.floats(0.001, 5),
)
def test_leading_any_input(entropies: list[float], bound: float, other_bound: float) -> None:
    entropy = torch.tensor([entropies])
    low, high = sorted([bound, other_bound])
    few, many = accept_leading(entropy, low)[0], accept_leading(entropy, high)[0]
    assert few[0], "the first position is accepted"
    assert not (few & ~many).any(), "a larger bound accepts no less"
    assert not (few[1:] & ~few[:-1]).any(), "no gaps"
