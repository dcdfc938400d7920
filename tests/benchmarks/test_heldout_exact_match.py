"""The score by language: what counts, and that a language is chosen by name."""

import pytest

from benchmarks.heldout_exact_match import gaps_of, score
from infill_engine.api import InfillResult
from training.examples import SourceFile
from training.gap_filling import Guess


def guess(num_right_chars: int, is_exact: bool, *trusted: tuple[int, float]) -> Guess:
    result = InfillResult("x" * 12, "converged", 1, 1, 4, 0, 0, 0.1, {}, trusted)
    return Guess(result, (), num_right_chars, is_exact)


def test_shares_are_of_all_gaps_but_precision_of_those_shown() -> None:
    exact = guess(12, True, (12, 0.9))
    begun = guess(5, False, (4, 0.7), (12, 0.1))
    wrong = guess(1, False, (4, 0.7))
    silent = guess(0, False, (4, 0.2))
    found = score([exact, begun, wrong, silent])
    assert found == {"exact_match": 0.25, "shown": 0.75, "shown_right": pytest.approx(2 / 3)}


def test_gaps_come_from_the_language_asked_for() -> None:
    files = [
        SourceFile("p", "go", "a.go", "func total() int {\n\treturn 1 + 2\n}\n" * 9),
        SourceFile("p", "python", "a.py", "def total():\n    return 1 + 2\n" * 9),
    ]
    found = gaps_of(files, "go", 5, seed=0)
    assert {gap.request.language_id for gap in found} == {"go"}
    with pytest.raises(ValueError, match="no file in 'rust'; the corpus has go, python"):
        gaps_of(files, "rust", 5, seed=0)
