"""Keys and values of one prompt, with the tokens they stand for, so that the next can reuse them.

Nothing is rolled over: sliding layers keep every token of the (budgeted) prompt, which makes
rolling back a matter of moving `num_tokens`. Knows nothing of text or of where prompts come from.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infill_engine.model.config import ModelConfig
from infill_engine.model.layers import KeyValueStore

_GROWTH_TOKENS = 256  # grow in steps of this many tokens: few copies, little waste


class KVCache:
    """One row of keys and values per layer, [1, G, capacity, D], and the ids they belong to.

    Not safe for use from several threads.
    """

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        self._config, self._dtype, self._device = config, dtype, device
        self._capacity = 0
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._token_ids: list[int] = []
        self._num_committed = 0
        self._reserve(_GROWTH_TOKENS)

    @property
    def num_tokens(self) -> int:
        """Prompt tokens whose keys and values are valid."""
        return self._num_committed

    @property
    def token_ids(self) -> Sequence[int]:
        """The tokens the cache stands for, `num_tokens` of them."""
        return self._token_ids

    @property
    def num_bytes(self) -> int:
        """Memory held, used or not."""
        return sum(t.numel() * t.element_size() for t in (*self._keys, *self._values))

    def roll_back_to(self, prompt_ids: Sequence[int]) -> int:
        """Keep the longest common prefix with `prompt_ids`; returns its length in tokens.

        Keys and values of what is cut stay in memory but count no more.
        """
        length = 0
        for held, wanted in zip(self._token_ids, prompt_ids, strict=False):
            if held != wanted:
                break
            length += 1
        self.truncate(length)
        return length

    def truncate(self, num_tokens: int) -> None:
        """Forget every token from index `num_tokens` on."""
        del self._token_ids[num_tokens:]
        self._num_committed = min(self._num_committed, num_tokens)

    def expect(self, new_ids: Sequence[int], num_canvas_tokens: int) -> None:
        """Announce the tokens of the next prefill, and room for a canvas behind them."""
        self._token_ids[self._num_committed :] = new_ids
        self._reserve(len(self._token_ids) + num_canvas_tokens)

    def appending(self) -> KeyValueStore:
        """A store that writes behind the valid tokens; `commit` makes them valid."""
        return _InPlace(self)

    def reading(self) -> KeyValueStore:
        """A store for a canvas: uses the free room behind the prompt, leaves it uncounted."""
        return _InPlace(self)

    def commit(self, num_new_tokens: int) -> None:
        """Count `num_new_tokens` that every layer has written since the last commit."""
        self._num_committed += num_new_tokens

    def _reserve(self, num_tokens: int) -> None:
        if num_tokens <= self._capacity:
            return
        capacity = -(-num_tokens // _GROWTH_TOKENS) * _GROWTH_TOKENS
        grown_keys, grown_values = [], []
        for layer_idx in range(self._config.num_layers):
            heads = self._config.layer_num_kv_heads(layer_idx)
            shape = (1, heads, capacity, self._config.layer_head_dim(layer_idx))
            for grown, old in ((grown_keys, self._keys), (grown_values, self._values)):
                tensor = torch.empty(shape, dtype=self._dtype, device=self._device)
                if old:
                    tensor[:, :, : self._num_committed] = old[layer_idx][
                        :, :, : self._num_committed
                    ]
                grown.append(tensor)
        self._keys, self._values, self._capacity = grown_keys, grown_values, capacity

    def _join(self, layer_idx: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
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
    """Writes new keys and values into the cache's free room and lends all up to their end.

    A canvas of several rows cannot share that room, so it gets copies instead.
    """

    def __init__(self, cache: KVCache) -> None:
        self._cache = cache

    def join(self, layer_idx: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        return self._cache._join(layer_idx, key, value)
