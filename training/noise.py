"""Noise for training canvases: where it is, and what a noised position holds.

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


def scattered(levels: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """[N, C] bool: every position noised with its row's probability `levels` [N], alone."""
    return torch.rand(len(levels), length, generator=generator) < levels[:, None]


def behind_frontier(text_lengths: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """[N, C] bool: from a random position of each row's text on, everything is noised.

    What a canvas looks like when the sampler settles it from the left; `text_lengths` [N] leave
    out the padding, at least 1.
    """
    draws = torch.rand(len(text_lengths), generator=generator)
    frontiers = (draws * text_lengths).long()
    return torch.arange(length) >= frontiers[:, None]


def distance_behind(is_noised: Tensor) -> Tensor:
    """[N, C] float32: how many noised positions stand before each one in its row."""
    return (is_noised.cumsum(dim=1) - is_noised.long()).float()


def noise_canvas(
    canvas_ids: Tensor,
    is_noised: Tensor,
    noise: Noise,
    vocab_size: int,
    generator: torch.Generator,
) -> Tensor:
    """The canvas with its noised positions replaced.

    Args:
        canvas_ids: [N, C] int64.
        is_noised: [N, C] bool.
        noise: what replaces a token; a random one may by chance be the right one.
        vocab_size: random tokens are plain ones below it.
        generator: modified.
    """
    if noise == "mask":
        return canvas_ids.masked_fill(is_noised, MASK_ID)
    filling = torch.randint(NUM_SPECIAL_TOKENS, vocab_size, canvas_ids.shape, generator=generator)
    if noise == "mixed":
        is_random = torch.rand(canvas_ids.shape, generator=generator) < _RANDOM_SHARE
        filling = torch.where(is_random, filling, MASK_ID)
    return torch.where(is_noised, filling, canvas_ids)


def noise_levels(num_rows: int, generator: torch.Generator) -> Tensor:
    """[N] levels spread evenly over (0, 1), one draw per stratum, in random order."""
    offset = torch.rand(num_rows, generator=generator)
    levels = (torch.arange(num_rows) + offset) / max(num_rows, 1)
    return levels.clamp_min(_MIN_LEVEL)[torch.randperm(num_rows, generator=generator)]
