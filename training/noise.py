"""Noise for training canvases: how much of it, and what a noised position holds.

Draws on the CPU from a given generator, so that a seed means the same on every device. Knows
nothing of the model.
"""

from typing import Literal

import torch
from torch import Tensor

from infill_engine.prompt_format import NUM_SPECIAL_TOKENS, SPECIAL_TOKEN_NAMES

Noise = Literal["mask", "uniform", "mixed"]
NOISES: tuple[Noise, ...] = ("mask", "uniform", "mixed")
MASK_ID = SPECIAL_TOKEN_NAMES.index("<mask>")

# Share of noised positions that hold a random token instead of the mask in "mixed" noise.
_RANDOM_SHARE = 0.15
_MIN_LEVEL = 0.02


def noise_canvas(
    canvas_ids: Tensor,
    levels: Tensor,
    noise: Noise,
    vocab_size: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Replace each position by noise with its row's probability.

    Args:
        canvas_ids: [N, C] int64.
        levels: [N] float32 in (0, 1].
        noise: what replaces a token.
        vocab_size: random tokens are plain ones below it.
        generator: modified.

    Returns:
        The noised canvas [N, C] and where it was noised [N, C] bool; a random token may by
        chance be the right one.
    """
    is_noised = torch.rand(canvas_ids.shape, generator=generator) < levels[:, None]
    if noise == "mask":
        return canvas_ids.masked_fill(is_noised, MASK_ID), is_noised
    filling = torch.randint(NUM_SPECIAL_TOKENS, vocab_size, canvas_ids.shape, generator=generator)
    if noise == "mixed":
        is_random = torch.rand(canvas_ids.shape, generator=generator) < _RANDOM_SHARE
        filling = torch.where(is_random, filling, MASK_ID)
    return torch.where(is_noised, filling, canvas_ids), is_noised


def noise_levels(num_rows: int, generator: torch.Generator) -> Tensor:
    """[N] levels spread evenly over (0, 1), one draw per stratum, in random order."""
    offset = torch.rand(num_rows, generator=generator)
    levels = (torch.arange(num_rows) + offset) / max(num_rows, 1)
    return levels.clamp_min(_MIN_LEVEL)[torch.randperm(num_rows, generator=generator)]
