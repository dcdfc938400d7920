"""Calibration: the fit finds what made the data, and a threshold shows what it says."""

from pathlib import Path

import numpy as np
import pytest

from infill_engine.confidence import Calibration
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import GenerationConfig, read_generation_config
from tests.tiny_checkpoint import END_OF_MIDDLE_ID, write_tiny_checkpoint
from training.calibrate import _CERTAIN, Guess, fit, gaps, guess, shown_at
from training.examples import SourceFile

FILES = [SourceFile("p", "python", "a.py", "def total(numbers):\n    return sum(numbers)\n" * 20)]


def test_fit_finds_the_curve_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    entropies = rng.uniform(0, 6, 20_000)
    is_right = rng.random(20_000) < 1 / (1 + np.exp(1.5 * entropies - 2.0))
    found = fit(entropies, is_right.astype(float))
    assert found.bias == pytest.approx(2.0, abs=0.15)
    assert found.slope == pytest.approx(1.5, abs=0.1)


def test_fit_stays_finite_where_all_is_right() -> None:
    found = fit(np.array([0.1, 0.2]), np.array([1.0, 1.0]))
    assert np.isfinite([found.bias, found.slope]).all()
    assert found.slope >= 0


def test_tokens_count_up_to_the_first_wrong_one() -> None:
    one = Guess((0.1, 0.2, 0.3, 0.4), (3, 6, 9, 12), num_right_chars=7, is_exact=False)
    assert list(one.tokens()) == [(0.1, True), (0.2, True), (0.3, False)]


def test_a_threshold_shows_what_is_right_or_not() -> None:
    calibration = Calibration(bias=2.0, slope=1.0)
    right = Guess((0.0, 5.0), (4, 8), num_right_chars=4, is_exact=False)
    wrong = Guess((0.0, 0.0), (4, 8), num_right_chars=2, is_exact=False)
    silent = Guess((5.0,), (4,), num_right_chars=0, is_exact=False)
    shown = shown_at(0.8, [right, wrong, silent], calibration)
    assert (shown.share, shown.precision) == (pytest.approx(2 / 3), 0.5)
    assert shown.mean_chars == 4, "the second token of each is not sure enough"
    assert shown_at(0.0, [right, wrong, silent], calibration).share == 1


def test_gaps_are_the_rest_of_a_line_and_filled_by_the_engine(tmp_path: Path) -> None:
    settings = GenerationConfig(eos_token_ids=(1, END_OF_MIDDLE_ID), max_denoising_steps=4)
    write_tiny_checkpoint(tmp_path, generation=settings)
    engine = Engine.load(
        EngineConfig(model=str(tmp_path)),
        generation=GenerationConfig(
            eos_token_ids=(1, END_OF_MIDDLE_ID), max_denoising_steps=4, calibration=_CERTAIN
        ),
    )
    assert read_generation_config(tmp_path).calibration is None
    found = list(gaps(FILES, 6, seed=1))
    assert [cut for _, cut in found] == [cut for _, cut in gaps(FILES, 6, seed=1)]
    for file, cut in found:
        assert cut.prefix + cut.middle + cut.suffix == file.text
        assert cut.middle and "\n" not in cut.middle
        filled = guess(engine, file, cut)
        if filled is not None:
            assert len(filled.entropies) == len(filled.ends)
            assert list(filled.ends) == sorted(filled.ends)
