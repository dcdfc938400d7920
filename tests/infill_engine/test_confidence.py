"""Confidence: monotone, ends where it says nothing, and counts characters that are whole."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infill_engine.api import InfillResult
from infill_engine.confidence import Calibration, leading_confidence


def test_hand_computed() -> None:
    calibration = Calibration(bias=2.0, slope=1.0)
    assert calibration.of_token(2.0) == pytest.approx(0.5)
    assert calibration.of_token(0.0) == pytest.approx(1 / (1 + math.exp(-2)))
    confidences = [calibration.of_token(entropy) for entropy in (2.0, 2.0, 0.0)]
    pairs = leading_confidence(confidences, lambda num_tokens: 3 * num_tokens, 8)
    assert [chars for chars, _ in pairs] == [3, 6, 8], "no more than there are"
    assert [p for _, p in pairs] == pytest.approx([0.5, 0.25, 0.2202], abs=1e-4)


def test_ends_where_nothing_is_left_to_trust() -> None:
    pairs = leading_confidence([0.3, 0.001, 1.0], lambda num_tokens: num_tokens, 99)
    assert [chars for chars, _ in pairs] == [1]


@given(st.lists(st.floats(0, 1e9), max_size=20), st.floats(-20, 20), st.floats(0, 50))
def test_never_grows(entropies: list[float], bias: float, slope: float) -> None:
    confidences = [Calibration(bias, slope).of_token(entropy) for entropy in entropies]
    pairs = leading_confidence(confidences, lambda num_tokens: num_tokens, 99)
    probabilities = [p for _, p in pairs]
    assert all(0 <= p <= 1 for p in probabilities)
    assert probabilities == sorted(probabilities, reverse=True)


def result(pairs: tuple[tuple[int, float], ...]) -> InfillResult:
    return InfillResult("a = b.c", "converged", 1, 1, 4, 0, 0, 0.1, {}, pairs)


def test_trusted_characters() -> None:
    sure = result(((1, 0.9), (3, 0.8), (7, 0.3)))
    assert [sure.num_trusted_chars(least) for least in (0, 0.3, 0.5, 0.85, 0.95)] == [7, 7, 3, 1, 0]
    assert result(()).num_trusted_chars(0.9) == 7, "who claims nothing is taken at its word"
