"""Which tokens may stand in a canvas, as a prompt and its strategy have it.

Knows nothing of how rules are applied.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from infill_engine.prompt.prompt import Prompt, PromptStrategy
from infill_engine.token_rules import TokenRules


def rules_for(prompt: Prompt, strategy: PromptStrategy, device: torch.device) -> TokenRules:
    """The rules of a request's first canvas, their ids on `device`."""
    end_ids = list(strategy.end_ids)
    banned = list(strategy.banned_ids)
    if prompt.anchor is not None:
        banned += end_ids  # the gap ends where the suffix begins, nowhere else

    def ids(token_ids: Sequence[int]) -> Tensor | None:
        return torch.tensor(token_ids, device=device) if token_ids else None

    return TokenRules(ids(banned), ids(end_ids), ids(prompt.first_allowed_ids))
