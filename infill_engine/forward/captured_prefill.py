"""A prefill of up to a fixed number of tokens as one piece of captured GPU work.

Fewer tokens are padded: padding is left out of the experts, written nowhere and seen by nobody.
Knows nothing of which numbers are worth capturing.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from infill_engine.forward.graph import Replayable
from infill_engine.forward.row_caches import RowCaches
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.static_cache import StaticCache


class CapturedPrefill:
    """Appends 1 to `num_tokens` tokens to any cache; whoever runs it commits them."""

    def __init__(
        self, model: DiffusionGemma, layout: StaticCache, num_tokens: int, pool: Any
    ) -> None:
        """Capture it.

        Args:
            model: on the device it runs on.
            layout: a cache like those it will append to; what lies behind its tokens is lost.
            num_tokens: at most.
            pool: see `Replayable`.
        """
        device, size = model.device, model.config.hidden_size
        self._model, self._num_tokens = model, num_tokens
        self._cache = RowCaches(layout, 1, num_tokens)
        sizes = [num_tokens, 1, self._cache.num_numbers]
        self._inputs = torch.zeros(sum(sizes), dtype=torch.int64, device=device)
        token_ids, self._num_new, places = self._inputs.split(sizes)
        self._token_ids = token_ids[None]
        self._cache.read_from(places)
        self._hidden = torch.empty(num_tokens, size, dtype=model.dtype, device=device)
        self._inputs.copy_(self._packed([0], layout))
        with torch.no_grad():
            self._replay = Replayable(self._prefill, device, pool)

    def run(self, token_ids: Sequence[int], cache: StaticCache) -> Tensor:
        """[T, E] normed hidden states of the tokens, overwritten by the next call.

        Args:
            token_ids: 1 to `num_tokens`.
            cache: has room for them, laid out as this was told; they are written behind its own.
        """
        self._inputs.copy_(self._packed(token_ids, cache), non_blocking=True)
        with torch.no_grad():
            self._replay()
        return self._hidden[: len(token_ids)]

    def _packed(self, token_ids: Sequence[int], cache: StaticCache) -> Tensor:
        """What `self._inputs` holds, on the CPU."""
        padding = [0] * (self._num_tokens - len(token_ids))
        numbers = torch.tensor([*token_ids, *padding, len(token_ids)])
        return torch.cat([numbers, self._cache.point_to([cache])])

    def _prefill(self) -> None:
        num_new = self._num_new.to(torch.int32)
        self._hidden.copy_(self._model.encode(self._token_ids, self._cache, num_new)[0])
