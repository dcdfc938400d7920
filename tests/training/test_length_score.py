"""The length score: the same gaps with unknown and known length, counted in pairs."""

from pathlib import Path

from infill_engine.api import InfillResult
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import GenerationConfig
from tests.tiny_checkpoint import END_OF_MIDDLE_ID, write_tiny_checkpoint
from training.examples import SourceFile
from training.gap_filling import Guess, gaps, guess_at_right_length
from training.length_score import in_mode, length_score

FILES = [SourceFile("p", "python", "a.py", "def total(numbers):\n    return sum(numbers)\n" * 20)]
RESULT = InfillResult("x", "converged", 1, 1, 1, 0, 0, 0.1, {}, ())


def guesses(*is_exact: bool) -> list[Guess]:
    return [Guess(RESULT, (), int(one), one) for one in is_exact]


def test_pairs_are_counted() -> None:
    line = length_score(guesses(True, True, False, False), guesses(True, False, True, True))
    assert line.startswith("length score 67%: 2 exact of 3; 2 only with the length known, 1 only")
    assert "length score 0%" in length_score(guesses(False), guesses(False))


def test_the_right_length_is_kept_in_both_modes(tmp_path: Path) -> None:
    settings = GenerationConfig(
        eos_token_ids=(1, END_OF_MIDDLE_ID), noise="mask", acceptance_order="leading"
    )
    write_tiny_checkpoint(tmp_path, generation=settings)
    engine = Engine.load(EngineConfig(model=str(tmp_path)))
    found = list(gaps(FILES, 4, seed=1))
    lengths: list[list[int]] = []
    for mode in ("line", "block"):
        asked = in_mode(found, mode)
        assert [gap.request.mode for gap in asked] == [mode] * 4
        known = [guess_at_right_length(engine, gap).result for gap in asked]
        assert {result.finish_reason for result in known} == {"converged"}
        lengths.append([result.num_tokens for result in known])
    assert lengths[0] == lengths[1]
    assert len(set(lengths[0])) > 1
