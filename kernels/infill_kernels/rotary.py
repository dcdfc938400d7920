"""Rotary position embedding (arXiv:2104.09864), plain and proportional.

Proportional (Gemma 4): frequencies are spread over the whole head, and those beyond the rotated
fraction are zero, so that part of each head carries no position.
"""

import torch
from torch import Tensor


def rotary_frequencies(
    head_dim: int, theta: float, rotated_fraction: float, is_proportional: bool
) -> Tensor:
    """Angle per position for each pair of dimensions.

    Args:
        head_dim: D, even.
        theta: base wavelength.
        rotated_fraction: share of the head that turns, in (0, 1].
        is_proportional: see the module docstring; otherwise the whole head must turn.

    Returns:
        [D / 2] float32, radians per position.
    """
    if not is_proportional:
        num_rotated = int(head_dim * rotated_fraction)
        return 1.0 / theta ** (torch.arange(0, num_rotated, 2, dtype=torch.float) / num_rotated)
    num_pairs = int(rotated_fraction * head_dim // 2)
    turning = 1.0 / theta ** (torch.arange(0, 2 * num_pairs, 2, dtype=torch.float) / head_dim)
    return torch.cat([turning, torch.zeros(head_dim // 2 - num_pairs)])


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (x[i], x[i + D/2]) by the position's angles.

    Args:
        x: [B, T, heads, D].
        cos: [B or 1, T, 1, D / 2], same dtype as `x`.
        sin: like `cos`.

    Returns:
        [B, T, heads, D], a new tensor.
    """
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
