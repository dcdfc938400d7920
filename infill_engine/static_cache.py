"""Keys and values of one prompt at addresses that stay, so that captured GPU work can read them.

Room for a whole prompt is there from the start, and how much of it is valid stands in a tensor on
the device: a CUDA graph captured once serves every prompt length. A canvas never enters it. Knows
nothing of text; `kv_cache` is its counterpart where nothing is captured.
"""

import torch
from infill_kernels import attend_cached, store_keys_values
from torch import Tensor

from infill_engine.model.attention_view import KeyValueStore, LayerView
from infill_engine.model.config import ModelConfig
from infill_engine.prompt_tokens import PromptTokens

_GROWTH_TOKENS = 1024


class StaticCache(PromptTokens):
    """One row of keys and values per layer, [1, G, capacity, D].

    Not safe for use from several threads.
    """

    def __init__(
        self, config: ModelConfig, dtype: torch.dtype, device: torch.device, capacity_tokens: int
    ) -> None:
        """Reserve room.

        Args:
            config: layers, heads and sizes.
            dtype: of keys and values; float8_e4m3fn halves their memory.
            device: where they lie.
            capacity_tokens: prompt tokens that fit before it has to grow.
        """
        super().__init__()
        self._config, self._dtype, self._device = config, dtype, device
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._capacity = 0
        self.num_moves = 0
        self.addresses: list[tuple[int, int]] = []
        """Where each layer's keys begin, and its values: what a kernel reads them by."""
        self.num_cached = torch.zeros(1, dtype=torch.int32, device=device)
        """[1] int32 on the device: `num_tokens`, for kernels."""
        self._reserve(capacity_tokens)

    @property
    def dtype(self) -> torch.dtype:
        """Of keys and values."""
        return self._dtype

    @property
    def num_bytes(self) -> int:
        """Memory held, used or not."""
        return sum(t.numel() * t.element_size() for t in (*self._keys, *self._values))

    @property
    def capacity(self) -> int:
        """Tokens there is room for; more make it grow."""
        return self._capacity

    def truncate(self, num_tokens: int) -> None:
        """Forget every token from index `num_tokens` on."""
        super().truncate(num_tokens)
        self.num_cached.fill_(self.num_tokens)

    def commit(self, num_new_tokens: int) -> None:
        """Count `num_new_tokens` that every layer has written since the last commit."""
        super().commit(num_new_tokens)
        self.num_cached.fill_(self.num_tokens)

    def positions(self, num_new: int, device: torch.device) -> Tensor:
        """[1, num_new] int64 positions of the tokens behind those held."""
        return (self.num_cached + torch.arange(num_new, device=device))[None]

    def appending(self) -> KeyValueStore:
        """A store that writes behind the valid tokens; `commit` makes them valid."""
        return _Store(self, keeps=True)

    def reading(self) -> KeyValueStore:
        """A store for a canvas of any number of rows, which leaves no trace."""
        return _Store(self, keeps=False)

    def layer(self, layer_idx: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, [1, G, capacity, D] each, valid up to `num_cached`."""
        return self._keys[layer_idx], self._values[layer_idx]

    def _reserve(self, num_tokens: int) -> None:
        """Grow if need be: what was captured with the old addresses must be captured anew."""
        if num_tokens <= self._capacity:
            return
        self._capacity = -(-num_tokens // _GROWTH_TOKENS) * _GROWTH_TOKENS
        self._keys = self._grown(self._keys)
        self._values = self._grown(self._values)
        self.addresses = [
            (keys.data_ptr(), values.data_ptr())
            for keys, values in zip(self._keys, self._values, strict=True)
        ]
        self.num_moves += 1

    def _grown(self, held: list[Tensor]) -> list[Tensor]:
        grown: list[Tensor] = []
        for layer_idx in range(self._config.num_layers):
            heads = self._config.layer_num_kv_heads(layer_idx)
            shape = (1, heads, self._capacity, self._config.layer_head_dim(layer_idx))
            tensor = torch.empty(shape, dtype=self._dtype, device=self._device)
            if held:
                valid = slice(0, self.num_tokens)
                tensor[:, :, valid] = held[layer_idx][:, :, valid]
            grown.append(tensor)
        return grown


class _Store:
    def __init__(self, cache: StaticCache, keeps: bool) -> None:
        self._cache, self._keeps = cache, keeps

    def attend(
        self, layer_idx: int, query: Tensor, key: Tensor, value: Tensor, view: LayerView
    ) -> Tensor:
        keys, values = self._cache.layer(layer_idx)
        out = attend_cached(
            query,
            key,
            value,
            keys,
            values,
            self._cache.num_cached,
            view.is_causal,
            view.window,
            view.num_new,
        )
        if self._keeps:
            store_keys_values(key, value, keys, values, self._cache.num_cached, view.num_new)
        return out
