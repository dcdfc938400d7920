"""Which leading positions settle, and that they are pinned."""

import torch

from infill_engine.canvas import Canvas
from infill_engine.settling import Settler


def canvas_of(argmax: list[int], entropy: list[float], pinned: list[bool] | None = None) -> Canvas:
    canvas = Canvas(torch.zeros(1, len(argmax), dtype=torch.long), torch.zeros(1, len(argmax)) > 0)
    canvas.argmax, canvas.entropy = torch.tensor([argmax]), torch.tensor([entropy])
    if pinned:
        canvas.pinned = torch.tensor([pinned])
    return canvas


def step(settler: Settler, canvas: Canvas, argmax: list[int], entropy: list[float]) -> int:
    free = ~canvas.pinned[0]
    canvas.argmax[0, free] = torch.tensor(argmax)[free]
    canvas.entropy[0, free] = torch.tensor(entropy)[free]
    return settler.settle(canvas)


def test_settles_after_enough_calm_steps_and_only_from_the_left() -> None:
    settler = Settler(settle_steps=2, settle_entropy=0.1)
    canvas = canvas_of([7, 8, 9], [0.01, 0.5, 0.01])
    assert settler.settle(canvas) == 0
    assert step(settler, canvas, [7, 8, 9], [0.01, 0.5, 0.01]) == 0
    assert step(settler, canvas, [7, 8, 9], [0.01, 0.05, 0.01]) == 1, "the second is too new"
    assert step(settler, canvas, [7, 8, 9], [0.01, 0.05, 0.01]) == 3, "the third was ready"
    assert canvas.pinned.all()
    assert canvas.current.tolist() == [[7, 8, 9]]


def test_a_change_starts_the_count_anew() -> None:
    settler = Settler(settle_steps=1, settle_entropy=0.1)
    canvas = canvas_of([1, 2], [0.0, 0.0])
    assert settler.settle(canvas) == 0
    assert step(settler, canvas, [3, 2], [0.0, 0.0]) == 0
    assert step(settler, canvas, [3, 2], [0.0, 0.0]) == 2


def test_pinned_positions_are_settled_from_the_start() -> None:
    settler = Settler(settle_steps=3, settle_entropy=0.1)
    canvas = canvas_of([1, 2, 3], [0.0, 0.0, 9.0], pinned=[True, True, False])
    assert settler.settle(canvas) == 2
