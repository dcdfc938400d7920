"""A canvas: the block of token ids being denoised, and which of its positions are fixed.

Knows nothing of the model or of when to fix a position.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from infill_engine.random_source import RandomSource


@dataclass
class Noise:
    """What an undecided position holds: random ids ("uniform") or the mask token ("mask").

    With mask noise an accepted token is kept (absorbing diffusion); with uniform noise every
    position is judged anew at each step, so that a wrong token can still be taken back.
    """

    mask_token_id: int | None = None

    @property
    def is_absorbing(self) -> bool:
        """Whether acceptance is final."""
        return self.mask_token_id is not None

    def fill(self, shape: tuple[int, ...], random: RandomSource, device: torch.device) -> Tensor:
        """Noise for every position of `shape`, int64."""
        if self.mask_token_id is None:
            return random.token_ids(shape)
        return torch.full(shape, self.mask_token_id, dtype=torch.long, device=device)


@dataclass
class Canvas:
    """State between two denoising steps.

    Attributes:
        current: [B, C] int64 ids the next step reads.
        pinned: [B, C] bool; True positions hold their `current` id for good.
        argmax: [B, C] int64 most probable ids of the last step (pinned ones included).
        entropy: [B, C] float32 nats when a position was last predicted, 0 where it never will be.
        soft_embeddings: [B, C, E] self-conditioning signal, None before the first step.
    """

    current: Tensor
    pinned: Tensor
    argmax: Tensor = field(init=False)
    entropy: Tensor = field(init=False)
    soft_embeddings: Tensor | None = None

    def __post_init__(self) -> None:
        """Start the derived fields from the canvas as given."""
        self.argmax = self.current
        self.entropy = torch.full(
            self.current.shape, float("inf"), device=self.current.device
        ).masked_fill(self.pinned, 0.0)

    @classmethod
    def noise(
        cls, batch: int, length: int, noise: Noise, random: RandomSource, device: torch.device
    ) -> "Canvas":
        """A canvas of nothing but noise."""
        current = noise.fill((batch, length), random, device)
        return cls(current, torch.zeros_like(current, dtype=torch.bool))

    @classmethod
    def from_draft(
        cls,
        draft_ids: Tensor,
        length: int,
        renoised_fraction: float,
        noise: Noise,
        random: RandomSource,
    ) -> "Canvas":
        """Start from given ids, each renoised with a probability; noise behind them.

        Args:
            draft_ids: [n] int64; what exceeds `length` is dropped.
            length: canvas length C.
            renoised_fraction: 0 keeps the draft whole, 1 is the same as `noise`.
            noise: what renoised positions hold.
            random: source of the choice and of the noise.
        """
        canvas = cls.noise(1, length, noise, random, draft_ids.device)
        kept_ids = draft_ids[:length]
        # Two equally likely ids per row make a coin of the right bias out of the one seam.
        odds = torch.tensor([renoised_fraction, 1.0 - renoised_fraction], device=draft_ids.device)
        is_kept = random.sample(odds.expand(len(kept_ids), 2)).bool()
        head = canvas.current[0, : len(kept_ids)]
        canvas.current[0, : len(kept_ids)] = torch.where(is_kept, kept_ids, head)
        return canvas

    def pin(self, positions: Tensor, token_ids: Tensor) -> None:
        """Fix `positions` [B, C] bool to `token_ids` [B, C] for good; modifies the canvas."""
        self.current = torch.where(positions, token_ids, self.current)
        self.argmax = torch.where(positions, token_ids, self.argmax)
        self.pinned = self.pinned | positions

    def pin_end(self, num_tokens: int, end_id: int, filler_id: int) -> None:
        """Pin the end of a middle that has `num_tokens` more tokens, and filler behind it.

        Pins nothing when the middle fills the canvas. Modifies the canvas.
        """
        end_ids = torch.full_like(self.current, filler_id)
        end_ids[:, num_tokens : num_tokens + 1] = end_id
        is_behind = torch.arange(self.current.shape[1], device=self.current.device) >= num_tokens
        self.pin(is_behind.expand_as(self.pinned), end_ids)
        self.entropy = self.entropy.masked_fill(self.pinned, 0.0)

    def close_behind(self, closing_ids: Tensor, filler_id: int) -> None:
        """Pin everything behind the first pinned closing token of a row to the filler.

        What stands behind a middle's end is never shown, so no more steps are spent on it.

        Args:
            closing_ids: [n] int64 ids that end a middle.
            filler_id: what the model was trained to see behind an end.
        """
        closes = torch.isin(self.current, closing_ids) & self.pinned
        is_behind = closes.long().cumsum(dim=-1) - closes.long() > 0
        self.pin(is_behind & ~self.pinned, torch.full_like(self.current, filler_id))

    @property
    def open_entropy(self) -> Tensor:
        """[B, C] nats that are still to be resolved: `entropy`, but 0 where pinned."""
        return self.entropy.masked_fill(self.pinned, 0.0)

    def keep_row(self, row_idx: int) -> None:
        """Go on with one row of the batch only; modifies the canvas."""
        rows = slice(row_idx, row_idx + 1)
        self.current, self.pinned = self.current[rows], self.pinned[rows]
        self.argmax, self.entropy = self.argmax[rows], self.entropy[rows]
        if self.soft_embeddings is not None:
            self.soft_embeddings = self.soft_embeddings[rows]
