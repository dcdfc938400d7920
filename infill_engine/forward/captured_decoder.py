"""The decoder over canvases of one or more requests as one piece of captured GPU work.

A step's time goes into reading weights, which a pass reads once for all of its rows. Rows that
nobody needs are read by no expert. Knows nothing of heads, draws or requests.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from infill_engine.canvas import Canvas
from infill_engine.forward.graph import Replayable
from infill_engine.forward.row_caches import RowCaches
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.static_cache import StaticCache


class CapturedDecoder:
    """Embedding, self-conditioning and decoder over R rows of C positions."""

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
        num_tokens = num_rows * num_positions
        self._model, self.num_rows, self._num_positions = model, num_rows, num_positions
        self._caches = RowCaches(layout, num_rows, num_positions)
        # One row a kind of number, so that one copy brings all.
        sizes = [num_tokens, num_tokens, 1, self._caches.num_numbers]
        self._inputs = torch.zeros(sum(sizes), dtype=torch.int64, device=device)
        token_ids, is_pinned, self._num_live, places = self._inputs.split(sizes)
        self._token_ids, self._is_pinned = token_ids[None], is_pinned[None]
        self._caches.read_from(places)
        self._beliefs = torch.zeros(num_rows, num_positions, size, dtype=model.dtype, device=device)
        self._hidden = torch.empty_like(self._beliefs)
        self._inputs.copy_(self._packed([], [layout] * num_rows))
        with torch.no_grad():
            self._replay = Replayable(self._decode, device, pool)

    def run(self, canvases: Sequence[Canvas], caches: Sequence[StaticCache]) -> list[Tensor]:
        """[B, C, E] normed hidden states of each canvas, overwritten by the next call.

        Waits for nothing on the device.

        Args:
            canvases: one or more on the CPU, of C positions and no more than R rows in all; only
                read.
            caches: of their prompts, laid out as the pass was told; only read.
        """
        num_rows = [len(canvas.current) for canvas in canvases]
        parts = self._beliefs.split([*num_rows, self.num_rows - sum(num_rows)])
        for canvas, beliefs in zip(canvases, parts, strict=False):
            if canvas.soft_embeddings is None:
                beliefs.zero_()
            else:
                beliefs.copy_(canvas.soft_embeddings)
        of_rows = [cache for cache, num in zip(caches, num_rows, strict=True) for _ in range(num)]
        self._inputs.copy_(self._packed(canvases, of_rows), non_blocking=True)
        with torch.no_grad():
            self._replay()
        return list(self._hidden[: sum(num_rows)].split(num_rows))

    def _packed(self, canvases: Sequence[Canvas], of_rows: Sequence[StaticCache]) -> Tensor:
        """What `self._inputs` holds, on the CPU."""
        num_live = sum(canvas.current.numel() for canvas in canvases)
        idle = torch.zeros(self.num_rows * self._num_positions - num_live, dtype=torch.int64)
        return torch.cat(
            [
                *(canvas.current.flatten() for canvas in canvases),
                idle,
                *(canvas.pinned.flatten().long() for canvas in canvases),
                idle,
                torch.tensor([num_live]),
                self._caches.point_to(of_rows),
            ]
        )

    def _decode(self) -> None:
        model = self._model
        known = model.embed(self._token_ids)
        beliefs = self._beliefs.flatten(0, 1)[None]
        signal = torch.where(self._is_pinned[..., None] > 0, known, beliefs)
        # A single row is never idle.
        num_live = self._num_live.to(torch.int32) if self.num_rows > 1 else None
        hidden = model.denoise(self._token_ids, self._caches, signal, num_new=num_live)
        self._hidden.copy_(hidden.view_as(self._hidden))
