"""Keys and values of one prompt, with the tokens they stand for, so that the next can reuse them.

Nothing is rolled over: sliding layers keep every token of the (budgeted) prompt, which makes
rolling back a matter of moving `num_tokens`. Knows nothing of text or of where prompts come from.
"""

import torch
from torch import Tensor

from infill_engine.model.aligned_attention import BLOCK_TOKENS, attend_aligned
from infill_engine.model.attention_view import JoinedAttention, KeyValueStore, LayerView
from infill_engine.model.config import ModelConfig
from infill_engine.prompt_tokens import PromptTokens

_GROWTH_TOKENS = 256  # grow in steps of this many tokens: few copies, little waste
assert _GROWTH_TOKENS % BLOCK_TOKENS == 0, "aligned attention looks at whole blocks"


class KVCache(PromptTokens):
    """One row of keys and values per layer, [1, G, capacity, D], and the ids they belong to.

    Not safe for use from several threads.
    """

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        self._config, self._dtype, self._device = config, dtype, device
        self._capacity = 0
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._reserve(_GROWTH_TOKENS)

    @property
    def num_bytes(self) -> int:
        """Memory held, used or not."""
        return sum(t.numel() * t.element_size() for t in (*self._keys, *self._values))

    def positions(self, num_new: int, device: torch.device) -> Tensor:
        """[1, num_new] int64 positions of the tokens behind those held."""
        begin = self._num_committed
        return torch.arange(begin, begin + num_new, device=device)[None]

    def appending(self) -> KeyValueStore:
        """A store that writes behind the valid tokens; `commit` makes them valid."""
        return _InPlace(self, self._num_committed)

    def reading(self) -> KeyValueStore:
        """A store for a canvas: uses the free room behind the prompt, leaves it uncounted."""
        return _InPlace(self, self._num_committed)

    def _reserve(self, num_tokens: int) -> None:
        if num_tokens <= self._capacity:
            return
        capacity = -(-num_tokens // _GROWTH_TOKENS) * _GROWTH_TOKENS
        grown_keys, grown_values = [], []
        for layer_idx in range(self._config.num_layers):
            heads = self._config.layer_num_kv_heads(layer_idx)
            shape = (1, heads, capacity, self._config.layer_head_dim(layer_idx))
            for grown, old in ((grown_keys, self._keys), (grown_values, self._values)):
                # Aligned attention multiplies what is not written yet, by zero.
                tensor = torch.zeros(shape, dtype=self._dtype, device=self._device)
                if old:
                    tensor[:, :, : self._num_committed] = old[layer_idx][
                        :, :, : self._num_committed
                    ]
                grown.append(tensor)
        self._keys, self._values, self._capacity = grown_keys, grown_values, capacity

    def _attend_aligned(
        self, layer_idx: int, query: Tensor, key: Tensor, value: Tensor, view: LayerView
    ) -> Tensor:
        """Attention of a prefill, see `attend_aligned`."""
        self._join(layer_idx, key.transpose(1, 2), value.transpose(1, 2))
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        return attend_aligned(query, keys, values, self._num_committed, view.window)

    def _join(self, layer_idx: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Stored keys and values followed by the new ones, [B, G, S + T, D] each."""
        begin = self._num_committed
        end = begin + key.shape[2]
        keys, values = self._keys[layer_idx], self._values[layer_idx]
        if key.shape[0] == 1:
            self._reserve(end)
            keys, values = self._keys[layer_idx], self._values[layer_idx]
            keys[:, :, begin:end] = key
            values[:, :, begin:end] = value
            return keys[:, :, :end], values[:, :, :end]
        batch = key.shape[0]
        return (
            torch.cat([keys[:, :, :begin].expand(batch, -1, -1, -1), key], dim=2),
            torch.cat([values[:, :, :begin].expand(batch, -1, -1, -1), value], dim=2),
        )


class _InPlace:
    """Writes new keys and values into the cache's free room and attends to all up to their end.

    A canvas of several rows cannot share that room, so it gets copies instead.
    """

    def __init__(self, cache: KVCache, num_cached: int) -> None:
        self._cache, self._attend = cache, JoinedAttention(num_cached)

    def attend(
        self, layer_idx: int, query: Tensor, key: Tensor, value: Tensor, view: LayerView
    ) -> Tensor:
        if view.is_causal and query.shape[0] == 1 and query.device.type == "cpu":
            return self._cache._attend_aligned(layer_idx, query, key, value, view)
        keys, values = self._cache._join(layer_idx, key.transpose(1, 2), value.transpose(1, 2))
        return self._attend(query, keys, values, view)
