"""Philox 4x32-10: random numbers that are a function of a counter and a key, in plain PyTorch.

The same numbers as Triton's `tl.philox`, so that the reference sampler draws what the kernel draws.
J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Knows no sampler.
"""

import torch
from torch import Tensor

_LOW = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_NUM_ROUNDS = 10

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Words, key: Tensor) -> Words:
    """Four random 32-bit words for each counter. Synchronizes: no.

    Args:
        counter: four int64 tensors of one shape (or broadcast), each 0 to 2^32 - 1.
        key: int64 scalar tensor, all 64 bits of which count.

    Returns:
        Four int64 tensors, 0 to 2^32 - 1.
    """
    c0, c1, c2, c3 = counter
    low_key, high_key = key & _LOW, (key >> 32) & _LOW
    for _ in range(_NUM_ROUNDS):
        # Products of 64 bits wrap around in int64, which changes neither half of them.
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = ((second >> 32) & _LOW) ^ c1 ^ low_key, second & _LOW
        c2, c3 = ((first >> 32) & _LOW) ^ c3 ^ high_key, first & _LOW
        low_key, high_key = (low_key + _WEYL[0]) & _LOW, (high_key + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def uniform_rows(seed: Tensor, num_rows: int) -> Tensor:
    """One number for each row, evenly from the multiples of 2^-53 in [0, 1). Synchronizes: no.

    Args:
        seed: [2] int64: the key, and the number of the draw, which goes into the counter.
        num_rows: N, at most 2^31.

    Returns:
        [N] float64.
    """
    row = torch.arange(num_rows, device=seed.device)
    draw = seed[1]
    nothing = torch.zeros_like(row)
    first, second, _, _ = philox((row, nothing, draw & _LOW, (draw >> 32) & _LOW), seed[0])
    return ((first >> 5) * 2**26 + (second >> 6)).double() * 2.0**-53
