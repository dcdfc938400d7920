"""The decoder over canvases of several requests as one piece of captured GPU work.

A step's time goes into reading weights, which a pass reads once for all of its rows. Each row has
a cache of its own, whose place is handed in like its tokens, so that one graph serves whichever
requests meet. Rows that nobody needs are read by no expert. Knows nothing of heads, draws or
requests.
"""

from collections.abc import Sequence
from typing import Any

import torch
from infill_kernels import OwnCaches, attend_own_caches
from torch import Tensor

from infill_engine.canvas import Canvas
from infill_engine.forward.graph import Replayable
from infill_engine.model.attention_view import KeyValueStore, LayerView
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.static_cache import StaticCache


class SharedPass:
    """Self-conditioning and decoder over a fixed number of rows of as many positions each."""

    def __init__(
        self,
        model: DiffusionGemma,
        layout: StaticCache,
        num_rows: int,
        num_positions: int,
        pool: Any,
    ) -> None:
        """Capture the pass.

        Args:
            model: on the device it runs on.
            layout: a cache like those that rows will have: of their capacity and dtype.
            num_rows: R, rows of canvases at most.
            num_positions: C, positions of every row.
            pool: see `Replayable`.
        """
        device, size = model.device, model.config.hidden_size
        num_layers, num_tokens = model.config.num_layers, num_rows * num_positions
        self._model, self._num_rows, self._num_positions = model, num_rows, num_positions
        # One row a kind of number, so that one copy brings all.
        sizes = [num_tokens, num_tokens, 2 * num_layers * num_rows, num_rows, 1]
        self._inputs = torch.zeros(sum(sizes), dtype=torch.int64, device=device)
        token_ids, is_pinned, addresses, num_cached, num_live = self._inputs.split(sizes)
        self._token_ids, self._is_pinned = token_ids[None], is_pinned[None]
        self._num_live = num_live
        self._beliefs = torch.zeros(num_rows, num_positions, size, dtype=model.dtype, device=device)
        self._hidden = torch.empty_like(self._beliefs)
        self._caches = _RowCaches(
            addresses.view(num_layers, 2, num_rows), num_cached, num_positions, [layout] * num_rows
        )
        self._inputs.copy_(self._packed([], [layout]))
        with torch.no_grad():
            self._replay = Replayable(self._run, device, pool)

    def run(self, canvases: Sequence[Canvas], caches: Sequence[StaticCache]) -> list[Tensor]:
        """[B, C, E] normed hidden states of each canvas, overwritten by the next call.

        Waits for nothing on the device.

        Args:
            canvases: one or more on the CPU, of this pass's positions and no more rows in all;
                only read.
            caches: of their prompts, laid out as the pass was told.
        """
        num_rows = [len(canvas.current) for canvas in canvases]
        parts = self._beliefs.split([*num_rows, self._num_rows - sum(num_rows)])
        for canvas, beliefs in zip(canvases, parts, strict=False):
            if canvas.soft_embeddings is None:
                beliefs.zero_()
            else:
                beliefs.copy_(canvas.soft_embeddings)
        self._inputs.copy_(self._packed(canvases, caches))
        with torch.no_grad():
            self._replay()
        return list(self._hidden[: sum(num_rows)].split(num_rows))

    def _packed(self, canvases: Sequence[Canvas], caches: Sequence[StaticCache]) -> Tensor:
        """What `self._inputs` holds, on the CPU; idle rows have an empty prompt somewhere."""
        of_rows = [
            cache
            for canvas, cache in zip(canvases, caches, strict=False)
            for _ in range(len(canvas.current))
        ]
        num_idle = self._num_rows - len(of_rows)
        self._caches.of_rows = [*of_rows, *[caches[0]] * num_idle]
        idle = torch.zeros(num_idle * self._num_positions, dtype=torch.int64)
        num_cached = [*(cache.num_tokens for cache in of_rows), *[0] * num_idle]
        return torch.cat(
            [
                *(canvas.current.flatten() for canvas in canvases),
                idle,
                *(canvas.pinned.flatten().long() for canvas in canvases),
                idle,
                self._caches.places().flatten(),
                torch.tensor([*num_cached, len(of_rows) * self._num_positions]),
            ]
        )

    def _run(self) -> None:
        model = self._model
        beliefs = self._beliefs.flatten(0, 1)[None]
        known = model.embed(self._token_ids)
        signal = torch.where(self._is_pinned[..., None] > 0, known, beliefs)
        num_live = self._num_live.to(torch.int32)
        hidden = model.denoise(self._token_ids, self._caches, signal, num_new=num_live)
        self._hidden.copy_(hidden.view_as(self._hidden))


class _RowCaches:
    """The caches of all rows, over the rows' tokens laid end to end."""

    def __init__(
        self,
        addresses: Tensor,  # [layers, 2, R] int64 on the device
        num_cached: Tensor,  # [R] int64 on the device
        num_positions: int,
        of_rows: Sequence[StaticCache],
    ) -> None:
        self._addresses, self._num_cached = addresses, num_cached
        self._num_positions = num_positions
        self.of_rows = of_rows

    def places(self) -> Tensor:
        """[layers, 2, R] int64 on the CPU: where keys and values of every row's cache begin."""
        places = torch.tensor([cache.addresses for cache in self.of_rows])  # [R, layers, 2]
        return places.permute(1, 2, 0)

    def positions(self, num_new: int, device: torch.device) -> Tensor:
        """[1, num_new] int64: each row begins behind its own prompt."""
        own = torch.arange(self._num_positions, device=device)
        return (self._num_cached[:, None] + own).view(1, num_new)

    def reading(self) -> KeyValueStore:
        """A store that takes the rows apart."""
        return self

    def attend(
        self, layer_idx: int, query: Tensor, key: Tensor, value: Tensor, view: LayerView
    ) -> Tensor:
        """Attention of each row over its own cache and itself: [1, R * C, H, D]."""
        rows = (len(self._num_cached), self._num_positions)
        own_query, own_key, own_value = (x.view(*rows, *x.shape[2:]) for x in (query, key, value))
        layers = [cache.layer(layer_idx) for cache in self.of_rows]
        caches = OwnCaches(
            [keys for keys, _ in layers],
            [values for _, values in layers],
            self._addresses[layer_idx],
            self._num_cached.to(torch.int32),
        )
        out = attend_own_caches(own_query, own_key, own_value, caches, view.window)
        return out.view_as(query)
