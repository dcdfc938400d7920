"""Keys and values of several prompts of one length, kept as plain tensors.

For training and for comparing with other implementations: differentiable, any batch, no reuse
between prompts. The engine itself uses `infill_engine.kv_cache`.
"""

import torch
from torch import Tensor

from infill_engine.model.attention_view import JoinedAttention, KeyValueStore, LayerView


class BatchCache:
    """Grows by concatenation, so that gradients flow through it."""

    def __init__(self) -> None:
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}
        self._num_tokens = 0

    @property
    def num_tokens(self) -> int:
        """Tokens stored, the same for every row, padding included."""
        return self._num_tokens

    def layer(self, layer_idx: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, [B, G, S, D] each."""
        return self._layers[layer_idx]

    def positions(self, num_new: int, device: torch.device) -> Tensor:
        """[1, num_new] int64 positions behind the tokens stored."""
        return torch.arange(self._num_tokens, self._num_tokens + num_new, device=device)[None]

    def appending(self) -> KeyValueStore:
        """A store that keeps what it is given."""
        return _Concatenating(self._layers, self._num_tokens, keeps=True)

    def reading(self) -> KeyValueStore:
        """A store that only lends."""
        return _Concatenating(self._layers, self._num_tokens, keeps=False)

    def commit(self, num_new_tokens: int) -> None:
        """Count tokens appended by a prefill."""
        self._num_tokens += num_new_tokens

    def repeat(self, num_copies: int) -> "BatchCache":
        """Each row `num_copies` times in a row, as a new cache; gradients add up."""
        copy = BatchCache()
        copy._num_tokens = self._num_tokens
        copy._layers = {
            idx: (k.repeat_interleave(num_copies, dim=0), v.repeat_interleave(num_copies, dim=0))
            for idx, (k, v) in self._layers.items()
        }
        return copy


class _Concatenating:
    def __init__(
        self, layers: dict[int, tuple[Tensor, Tensor]], num_cached: int, keeps: bool
    ) -> None:
        self._layers, self._keeps = layers, keeps
        self._attend = JoinedAttention(num_cached)

    def attend(
        self, layer_idx: int, query: Tensor, key: Tensor, value: Tensor, view: LayerView
    ) -> Tensor:
        key, value = key.transpose(1, 2), value.transpose(1, 2)
        held = self._layers.get(layer_idx)
        if held is not None:
            key = torch.cat([held[0], key], dim=2)
            value = torch.cat([held[1], value], dim=2)
        if self._keeps:
            self._layers[layer_idx] = (key, value)
        return self._attend(query, key, value, view)
