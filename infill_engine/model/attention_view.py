"""What a pass may look at: positions, direction and window, and attention over joined keys.

`LayerView` says it without a mask, so that a kernel can work it out as it goes; `JoinedAttention`
is the plain way, which joins stored and new keys and builds masks. Knows nothing of how keys and
values are stored.
"""

from typing import NamedTuple, Protocol

import torch
from infill_kernels import attend
from torch import Tensor


class LayerView(NamedTuple):
    """What every layer of one type shares in one forward pass."""

    cos: Tensor  # [B or 1, T, 1, D/2]
    sin: Tensor  # [B or 1, T, 1, D/2]
    is_causal: bool  # a prefill; otherwise a canvas, every position of which sees all of it
    window: int | None  # of a sliding layer; None sees all
    prompt_lengths: Tensor | None = None  # [B] int64 stored tokens of each row, if right-padded
    num_new: Tensor | None = None  # [1] int32 tokens of this pass that are no padding; None all
    is_padding: Tensor | None = None  # [T] bool, the same said of each token; None where all count


class KeyValueStore(Protocol):
    """One pass's way to the keys and values of the prompt."""

    def attend(
        self, layer_idx: int, query: Tensor, key: Tensor, value: Tensor, view: LayerView
    ) -> Tensor:
        """Attention of this pass over what is stored and over itself.

        Args:
            layer_idx: whose stored keys and values to use.
            query: [B, T, H, D], normed and turned.
            key: [B, T, G, D], likewise.
            value: [B, T, G, D].
            view: see `LayerView`.

        Returns:
            [B, T, H, D].
        """
        ...


class JoinedAttention:
    """Attention over stored and new keys in one tensor; builds each mask once a pass."""

    def __init__(self, num_cached: int) -> None:
        self._num_cached = num_cached
        self._masks: dict[int | None, Tensor | None] = {}

    def __call__(self, query: Tensor, keys: Tensor, values: Tensor, view: LayerView) -> Tensor:
        """[B, T, H, D] queries over keys and values [B, G, S + T, D]: [B, T, H, D]."""
        first_key = self._first_key(view)
        if view.window not in self._masks:
            self._masks[view.window] = self._mask(view, query, first_key)
        out = attend(
            query.transpose(1, 2),
            keys[:, :, first_key:],
            values[:, :, first_key:],
            self._masks[view.window],
        )
        return out.transpose(1, 2)

    def _first_key(self, view: LayerView) -> int:
        """Keys before it are outside the window of every query."""
        if view.window is None or view.prompt_lengths is not None:
            return 0
        return max(0, self._num_cached - view.window + 1)

    def _mask(self, view: LayerView, query: Tensor, first_key: int) -> Tensor | None:
        num_new, device = query.shape[1], query.device
        if view.is_causal:
            if num_new == 1:
                return None  # the newest token sees all from `first_key` on
            positions = torch.arange(self._num_cached, self._num_cached + num_new, device=device)
            keys = torch.arange(first_key, self._num_cached + num_new, device=device)
            distance = positions[:, None] - keys
            mask = distance >= 0
            return mask if view.window is None else mask & (distance < view.window)
        # The reference truncates a sliding layer's cache to window - 1 tokens and lets every
        # canvas position see all of them, whatever its own distance.
        if view.prompt_lengths is None:
            return None
        lengths = view.prompt_lengths[:, None]
        keys = torch.arange(self._num_cached, device=device)
        seen = keys < lengths
        if view.window is not None:
            seen &= keys >= lengths - (view.window - 1)
        canvas = torch.ones(len(lengths), num_new, dtype=torch.bool, device=device)
        return torch.cat([seen, canvas], dim=1)[:, None, None, :]
