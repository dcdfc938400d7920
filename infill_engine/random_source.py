"""All randomness of the sampler, behind one seam, so that runs repeat and tests inject draws."""

from typing import Protocol

import torch
from torch import Tensor


class RandomSource(Protocol):
    """Draws in the order the sampler asks for them."""

    def token_ids(self, shape: tuple[int, ...]) -> Tensor:
        """Uniform ids over the vocabulary, int64."""
        ...

    def sample(self, probabilities: Tensor) -> Tensor:
        """One id per row of [N, V] probabilities: [N] int64."""
        ...

    def draw_key(self) -> tuple[int, int]:
        """Seed and number of a draw that a kernel makes itself; no two draws get the same."""
        ...


class SeededRandom:
    """Repeatable draws on one device: same seed and device, same numbers."""

    def __init__(self, seed: int, vocab_size: int, device: torch.device) -> None:
        self._generator = torch.Generator(device=device).manual_seed(seed)
        self._vocab_size, self._device = vocab_size, device
        # A key is signed and has 64 bits.
        self._seed, self._num_keys = (seed + 2**63) % 2**64 - 2**63, 0

    def token_ids(self, shape: tuple[int, ...]) -> Tensor:
        """Uniform ids over the vocabulary, int64."""
        return torch.randint(
            self._vocab_size, shape, generator=self._generator, device=self._device
        )

    def sample(self, probabilities: Tensor) -> Tensor:
        """Invert each row's cumulative distribution at one uniform number.

        torch.multinomial draws V exponentials a row, which made it the largest single cost of a
        CPU step; this draws one number a row.
        """
        cumulative = probabilities.cumsum(dim=-1)
        shape = (*probabilities.shape[:-1], 1)
        uniform = torch.rand(shape, generator=self._generator, device=self._device)
        total = cumulative[..., -1:]
        # Rounding must not lift the target to the total itself: behind the last possible token
        # the cumulative sum stays there, and a banned one could be found.
        target = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
        return torch.searchsorted(cumulative, target, right=True).squeeze(-1)

    def draw_key(self) -> tuple[int, int]:
        """Seed and number of a draw that a kernel makes itself; no two draws get the same."""
        self._num_keys += 1
        return self._seed, self._num_keys - 1
