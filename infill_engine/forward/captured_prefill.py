"""A prefill of up to a fixed number of tokens as one piece of captured GPU work.

Fewer tokens are padded: padding is left out of the experts, written nowhere and seen by nobody.
Knows nothing of which numbers are worth capturing.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infill_engine.forward.graph import Replayable
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.static_cache import StaticCache


class CapturedPrefill:
    """Appends 1 to `num_tokens` tokens to a cache; whoever runs it commits them."""

    def __init__(
        self,
        model: DiffusionGemma,
        cache: StaticCache,
        num_tokens: int,
        pool: tuple[int, int] | None,
    ) -> None:
        device, size = model.device, model.config.hidden_size
        self._token_ids = torch.zeros(1, num_tokens, dtype=torch.int64, device=device)
        self._num_new = torch.ones(1, dtype=torch.int32, device=device)
        self._hidden = torch.empty(num_tokens, size, dtype=model.dtype, device=device)

        def run() -> None:
            self._hidden.copy_(model.encode(self._token_ids, cache, self._num_new)[0])

        with torch.no_grad():
            self._replay = Replayable(run, device, pool)

    def run(self, token_ids: Sequence[int]) -> Tensor:
        """[T, E] normed hidden states of the tokens, overwritten by the next call."""
        num_new = len(token_ids)
        self._token_ids[0, :num_new].copy_(torch.tensor(token_ids))
        self._num_new.fill_(num_new)
        with torch.no_grad():
            self._replay()
        return self._hidden[:num_new]
