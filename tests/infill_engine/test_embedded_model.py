"""The model that ships: it loads, is small, and does no harm in files it never saw the like of."""

import re
from collections import Counter

import pytest

from infill_engine.api import InfillRequest
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import read_generation_config
from infill_engine.prompt_format import SPECIAL_TOKEN_NAMES
from tests.infill_engine.odd_texts import odd_gaps

_MAX_BYTES = 64 * 2**20
_LOOP = re.compile(r"(\S.{0,11}?)\1{7,}", re.DOTALL)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(EngineConfig())


def test_it_is_small_and_calibrated() -> None:
    folder = EngineConfig().folder
    assert sum(path.stat().st_size for path in folder.iterdir()) < _MAX_BYTES
    generation = read_generation_config(folder)
    assert generation.calibration is not None
    assert generation.drafting is not None


def test_it_fills_a_plain_gap(engine: Engine) -> None:
    prefix = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    ret"
    result = engine.infill(InfillRequest(prefix, "\n", "python", "arithmetic.py"))
    assert result.text.startswith("urn")


def test_five_hundred_odd_files(engine: Engine) -> None:
    """Silent or brief: no special token, no loop, no half of a character, the same every time."""
    shown: Counter[str] = Counter()
    for number, (kind, prefix, suffix) in enumerate(odd_gaps(500, seed=0)):
        request = InfillRequest(
            prefix, suffix, "plaintext", mode="line", max_new_tokens=48, least_confidence=0.5
        )
        result = engine.infill(request)
        text = result.text[: result.num_trusted_chars(0.5)]
        assert "\n" not in text, kind
        assert "\ufffd" not in text, kind
        for name in SPECIAL_TOKEN_NAMES:
            # What is copied from a file that spells such a name is only text.
            assert name not in text or name in prefix + suffix, kind
        if not result.drafted_tokens and kind != "one_character":
            assert not _LOOP.search(text), (kind, text)
        shown[kind] += bool(text.strip())
        if number % 50 == 0:
            assert engine.infill(request).text == result.text, kind
    assert shown["control_characters"] <= 10
