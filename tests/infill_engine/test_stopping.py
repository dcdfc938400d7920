"""The stopping test of one canvas."""

import torch

from infill_engine.stopping import StableAndConfident

SURE, UNSURE = torch.tensor([0.001]), torch.tensor([0.5])
CANVAS, OTHER = torch.tensor([[1, 2, 3]]), torch.tensor([[1, 2, 4]])


def test_needs_both_stability_and_confidence() -> None:
    stopping = StableAndConfident(stability_threshold=1, confidence_threshold=0.005)
    assert not stopping.update(CANVAS, SURE), "nothing to compare the first step with"
    assert not stopping.update(OTHER, SURE), "changed"
    assert not stopping.update(OTHER, UNSURE), "unsure"
    assert stopping.update(OTHER, SURE)


def test_counts_as_many_steps_as_asked() -> None:
    stopping = StableAndConfident(stability_threshold=2, confidence_threshold=0.005)
    answers = [bool(stopping.update(CANVAS, SURE)) for _ in range(3)]
    assert answers == [False, False, True]
    assert not stopping.update(OTHER, SURE)
    assert not stopping.update(OTHER, SURE)
    assert stopping.update(OTHER, SURE)


def test_zero_stability_asks_only_confidence() -> None:
    stopping = StableAndConfident(stability_threshold=0, confidence_threshold=0.005)
    assert stopping.update(CANVAS, SURE)
    assert not stopping.update(CANVAS, UNSURE)


def test_rows_stop_apart() -> None:
    stopping = StableAndConfident(stability_threshold=1, confidence_threshold=0.005)
    stopping.update(torch.cat([CANVAS, CANVAS]), torch.cat([SURE, SURE]))
    stopped = stopping.update(torch.cat([CANVAS, OTHER]), torch.cat([SURE, SURE]))
    assert stopped.tolist() == [True, False]
