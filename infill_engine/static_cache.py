"""Keys and values of one prompt at addresses that stay, so that captured GPU work can read them.

Room for a whole prompt is there from the start; how much of it is valid and where it lies is handed
to a pass (`forward.row_caches`). A canvas never enters it. Knows nothing of text or of attention;
`kv_cache` is its counterpart where nothing is captured.
"""

import torch
from torch import Tensor

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
        self.addresses = torch.empty(0, 2, dtype=torch.int64)
        """[layers, 2] int64 on the CPU: where each layer's keys begin, and its values."""
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

    def layer(self, layer_idx: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, [1, G, capacity, D] each, valid up to `num_tokens`."""
        return self._keys[layer_idx], self._values[layer_idx]

    def _reserve(self, num_tokens: int) -> None:
        """Grow if need be, to other addresses and another layout."""
        if num_tokens <= self._capacity:
            return
        self._capacity = -(-num_tokens // _GROWTH_TOKENS) * _GROWTH_TOKENS
        self._keys = self._grown(self._keys)
        self._values = self._grown(self._values)
        self.addresses = torch.tensor(
            [
                (keys.data_ptr(), values.data_ptr())
                for keys, values in zip(self._keys, self._values, strict=True)
            ]
        )

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
