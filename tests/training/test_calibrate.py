"""Calibration: the fit finds what made the data, and a threshold shows what it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from infill_engine.api import InfillResult
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import GenerationConfig
from infill_engine.tokenizer import Tokenizer
from tests.tiny_checkpoint import END_OF_MIDDLE_ID, write_tiny_checkpoint
from training.calibrate import CERTAIN, fit_denoised, judged_tokens, shown_at
from training.examples import SourceFile
from training.gap_filling import Guess, gaps, gaps_of_lines, guess
from training.logistic import fit_logistic

FILES = [SourceFile("p", "python", "a.py", "def total(numbers):\n    return sum(numbers)\n" * 20)]


def test_fit_finds_the_curve_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 6, (20_000, 2))
    score = 2.0 - 1.5 * features[:, 0] + 0.7 * features[:, 1]
    labels = rng.random(20_000) < 1 / (1 + np.exp(-score))
    assert fit_logistic(features, labels.astype(float)) == pytest.approx([2, -1.5, 0.7], abs=0.15)


def test_fit_stays_finite_where_all_is_right() -> None:
    assert np.isfinite(fit_logistic(np.array([[0.1], [0.2]]), np.array([1.0, 1.0]))).all()


def answer(*pairs: tuple[int, float]) -> InfillResult:
    return InfillResult("x" * 12, "converged", 1, 1, 4, 0, 0, 0.1, {}, pairs)


def test_tokens_count_up_to_the_first_wrong_one() -> None:
    one = Guess(answer((3, 1), (6, 1), (9, 1), (12, 1)), (0.1, 0.2, 0.3, 0.4), 7, False)
    assert list(one.tokens()) == [(0.1, True), (0.2, True), (0.3, False)]


def test_surer_tokens_are_likelier_right() -> None:
    right = Guess(answer((3, 1), (12, 1)), (0.1, 0.3), 12, True)
    wrong = Guess(answer((3, 1), (12, 1)), (0.2, 3.0), 4, False)
    found = fit_denoised([right, wrong] * 20)
    assert found.slope > 0
    assert found.of_token(0.1) > 0.8 > 0.3 > found.of_token(3.0)


def test_a_threshold_shows_what_is_right_or_not() -> None:
    right = Guess(answer((4, 0.9), (12, 0.2)), (), 4, False)
    wrong = Guess(answer((4, 0.9), (12, 0.8)), (), 2, False)
    silent = Guess(answer((4, 0.1)), (), 0, False)
    shown = shown_at(0.85, [right, wrong, silent])
    assert (shown.share, shown.precision, shown.recall) == (0.6667, 0.5, 0.3333)
    assert shown.mean_chars == 4
    assert shown_at(0.0, [right, wrong, silent]).share == 1


def test_gaps_of_lines_have_several() -> None:
    for gap in gaps_of_lines(FILES, 6, seed=1):
        assert gap.request.prefix + gap.wanted + gap.request.suffix == FILES[0].text
        assert "\n" in gap.wanted.strip()
        assert gap.request.mode == "block"


def test_gaps_are_the_rest_of_a_line_and_judged_by_the_engine(tmp_path: Path) -> None:
    settings = GenerationConfig(eos_token_ids=(1, END_OF_MIDDLE_ID), max_denoising_steps=4)
    write_tiny_checkpoint(tmp_path, generation=settings)
    certain = replace(settings, calibration=CERTAIN)
    engine = Engine.load(EngineConfig(model=str(tmp_path)), generation=certain)
    tokenizer = Tokenizer.from_folder(tmp_path)
    found = list(gaps(FILES, 6, seed=1))
    assert found == list(gaps(FILES, 6, seed=1))
    for gap in found:
        assert gap.request.prefix + gap.wanted + gap.request.suffix == FILES[0].text
        assert gap.wanted and "\n" not in gap.wanted
        assert guess(engine, gap).num_right_chars <= len(gap.wanted)
    rows = [row for gap in found for row in judged_tokens(engine, tokenizer, gap)]
    assert rows, "the file repeats itself"
    assert any(is_right for _, _, is_right in rows)
    assert all(log_probability <= 0 for log_probability, _, _ in rows)
