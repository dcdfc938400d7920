"""The KV caches of a captured pass's rows: handed in at every replay, not when it was captured.

Where each row's cache lies and how many of its tokens are valid are numbers in device memory, so
that one graph serves every slot and every length. Knows nothing of tokens or of what a pass is for.
"""

from collections.abc import Sequence

import torch
from infill_kernels import OwnCaches, attend_own_caches, store_in_own_cache
from torch import Tensor

from infill_engine.model.attention_view import KeyValueStore, LayerView
from infill_engine.static_cache import StaticCache


class RowCaches:
    """A cache for each of R rows of T tokens, which lie end to end in the pass: [1, R * T, ...]."""

    def __init__(self, layout: StaticCache, num_rows: int, num_tokens: int) -> None:
        """Begin with empty prompts.

        Args:
            layout: a cache like all that rows will have: of their capacity and dtype.
            num_rows: R.
            num_tokens: T, the pass's own, of every row.
        """
        self._shape = num_rows, num_tokens
        self._of_rows: Sequence[StaticCache] = [layout] * num_rows
        self._num_layers = len(layout.addresses)
        self.num_numbers = (2 * self._num_layers + 1) * num_rows
        """How many numbers say where everything is: the length of what `point_to` takes."""
        self._addresses = self._num_cached = torch.empty(0)

    @classmethod
    def of_one(cls, cache: StaticCache, num_tokens: int, device: torch.device) -> "RowCaches":
        """Those of a pass that is not captured: a single row, told where it is once."""
        caches = cls(cache, 1, num_tokens)
        caches.read_from(caches.point_to([cache]).to(device))
        return caches

    def read_from(self, numbers: Tensor) -> None:
        """Take places and lengths from [num_numbers] int64 on the device, now and at replays."""
        num_rows, _ = self._shape
        addresses, num_cached = numbers.split([2 * self._num_layers * num_rows, num_rows])
        self._addresses = addresses.view(self._num_layers, 2, num_rows)
        self._num_cached = num_cached

    def point_to(self, caches: Sequence[StaticCache]) -> Tensor:
        """[num_numbers] int64 on the CPU that say where so many caches are.

        Args:
            caches: R or fewer, at least one; rows without have an empty prompt.
        """
        num_rows, _ = self._shape
        num_idle = num_rows - len(caches)
        self._of_rows = [*caches, *[caches[0]] * num_idle]
        places = torch.stack([cache.addresses for cache in self._of_rows])  # [R, layers, 2]
        num_cached = [*(cache.num_tokens for cache in caches), *[0] * num_idle]
        return torch.cat([places.permute(1, 2, 0).flatten(), torch.tensor(num_cached)])

    def positions(self, num_new: int, device: torch.device) -> Tensor:
        """[1, num_new] int64: each row begins behind its own prompt."""
        own = torch.arange(self._shape[1], device=device)
        return (self._num_cached[:, None] + own).view(1, num_new)

    def reading(self) -> KeyValueStore:
        """A store that takes the rows apart and keeps nothing."""
        return self._store(keeps=False)

    def appending(self) -> KeyValueStore:
        """A store that writes behind the valid tokens; for a single row."""
        return self._store(keeps=True)

    def _store(self, keeps: bool) -> KeyValueStore:
        # The lengths are turned into what kernels take once a pass, and not in each layer.
        num_cached = self._num_cached.to(torch.int32)
        return _Store(self._of_rows, self._shape, self._addresses, num_cached, keeps)


class _Store:
    def __init__(
        self,
        of_rows: Sequence[StaticCache],
        shape: tuple[int, int],  # rows R and own tokens T of each
        addresses: Tensor,  # [layers, 2, R] int64
        num_cached: Tensor,  # [R] int32
        keeps: bool,
    ) -> None:
        self._of_rows, self._shape, self._keeps = of_rows, shape, keeps
        self._addresses, self._num_cached = addresses, num_cached

    def attend(
        self, layer_idx: int, query: Tensor, key: Tensor, value: Tensor, view: LayerView
    ) -> Tensor:
        query_, key_, value_ = (x.view(*self._shape, *x.shape[2:]) for x in (query, key, value))
        layers = [cache.layer(layer_idx) for cache in self._of_rows]
        caches = OwnCaches(
            [keys for keys, _ in layers],
            [values for _, values in layers],
            self._addresses[layer_idx],
            self._num_cached,
        )
        # Of a canvas whole rows are padding, which are left out of the experts and seen by nobody.
        num_new = view.num_new if view.is_causal else None
        out = attend_own_caches(query_, key_, value_, caches, view.is_causal, view.window, num_new)
        if self._keeps:
            store_in_own_cache(key_, value_, caches, num_new)
        return out.view_as(query)
