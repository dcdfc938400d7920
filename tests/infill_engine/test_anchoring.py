"""Gaps of several lengths before a pinned suffix."""

import torch

from infill_engine.anchoring import anchored_canvas, choose_gap
from infill_engine.canvas import Noise
from infill_engine.prompt.prompt import Anchor
from infill_engine.random_source import SeededRandom

CPU = torch.device("cpu")


def test_rows_hold_the_suffix_behind_their_gap() -> None:
    anchor = Anchor(tuple(range(100, 120)), gap_lengths=(2, 5), canvas_length=8)
    canvas = anchored_canvas(anchor, Noise(mask_token_id=4), SeededRandom(0, 200, CPU), CPU)
    assert canvas.current.tolist() == [
        [4, 4, 100, 101, 102, 103, 104, 105],
        [4, 4, 4, 4, 4, 100, 101, 102],
    ]
    assert canvas.pinned.sum(dim=-1).tolist() == [6, 3]


def test_the_gap_that_beats_its_length_wins() -> None:
    lengths = (2, 4, 8, 16)
    entropy = torch.zeros(4, 20)
    for row, length in enumerate(lengths):
        # Entropy falls with the logarithm of the length, as padding makes longer gaps look sure.
        entropy[row, :length] = 3.0 - 0.5 * row
    entropy[1, :4] -= 0.4
    assert entropy[:, :1].argmin() == 3, "the plain mean would take the longest"
    assert choose_gap(entropy, lengths) == 1


def test_two_candidates_are_compared_plainly() -> None:
    entropy = torch.tensor([[1.0, 1.0, 9.0], [0.5, 0.5, 0.5]])
    assert choose_gap(entropy, (2, 3)) == 1
