"""What canvases hold before their first step, when a request brings a draft."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from infill_engine.api import InfillRequest
from infill_engine.canvas import Noise
from infill_engine.canvas_layout import CanvasLayout
from infill_engine.random_source import SeededRandom
from infill_engine.run import Run
from infill_engine.tokenizer import Tokenizer

CPU = torch.device("cpu")
MASK, LENGTH = 4, 8
DRAFT_IDS = list(range(100, 120))


def layout() -> CanvasLayout:
    strategy = SimpleNamespace(noise=Noise(MASK), end_ids=(5,), filler_id=0)
    tokenizer = SimpleNamespace(encode=lambda text: DRAFT_IDS if text else [])
    return CanvasLayout(cast(Any, strategy), cast(Tokenizer, tokenizer), LENGTH, LENGTH, CPU)


def run_of(draft: str, strength: float, num_committed: int) -> Run:
    request = InfillRequest("", "", mode="rewrite", draft=draft, draft_strength=strength)
    prompt = SimpleNamespace(healed="", anchor=None)
    middle = SimpleNamespace(num_committed=num_committed)
    run = SimpleNamespace(
        request=request,
        prompt=prompt,
        middle=middle,
        known_length=None,
        random=SeededRandom(0, 384, CPU),
    )
    return cast(Run, run)


@pytest.mark.parametrize(
    ("num_committed", "expected"),
    [
        (0, DRAFT_IDS[:8]),
        (8, DRAFT_IDS[8:16]),
        (16, [*DRAFT_IDS[16:], MASK, MASK, MASK, MASK]),
        (24, [MASK] * 8),
    ],
)
def test_a_long_draft_goes_canvas_by_canvas(num_committed: int, expected: list[int]) -> None:
    canvas = layout().following(run_of("draft", 0.0, num_committed))
    assert canvas.current[0].tolist() == expected


def test_its_strength_says_how_much_is_given_up() -> None:
    def num_kept(strength: float) -> int:
        canvas = layout().first(run_of("draft", strength, 0))
        return int((canvas.current[0] != MASK).sum())

    assert num_kept(0.0) == LENGTH
    assert 0 < num_kept(0.5) < LENGTH
    assert num_kept(1.0) == 0
    assert layout().first(run_of("", 0.0, 0)).current[0].tolist() == [MASK] * LENGTH
