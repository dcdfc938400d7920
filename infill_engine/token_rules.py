"""Which tokens a canvas position may hold: banned everywhere, or only some at the first one.

Works on logits, before the temperature. Knows nothing of why a token is banned.
"""

from dataclasses import dataclass, replace

import torch
from infill_kernels import BANNED_LOGIT
from torch import Tensor


@dataclass(frozen=True)
class TokenRules:
    """Limits on what may be sampled.

    Attributes:
        banned: [n] int64 ids that may stand nowhere, or None.
        first_banned: [n] int64 ids that may not stand at canvas position 0, or None.
        first_allowed: [n] int64 ids, the only ones for position 0 (token healing), or None.
    """

    banned: Tensor | None = None
    first_banned: Tensor | None = None
    first_allowed: Tensor | None = None

    def after_first_canvas(self) -> "TokenRules":
        """The rules for canvases that continue a middle: position 0 is nothing special there."""
        return TokenRules(banned=self.banned)

    def banning(self, token_ids: Tensor) -> "TokenRules":
        """These rules, with `token_ids` [n] int64 banned everywhere as well."""
        banned = token_ids if self.banned is None else torch.cat([self.banned, token_ids])
        return replace(self, banned=banned)

    def forbidden(self, vocab_size: int) -> Tensor:
        """[2, V] uint8 on the CPU: 1 where a token may not stand, at position 0 and elsewhere."""
        forbidden = torch.zeros(2, vocab_size, dtype=torch.uint8)
        if self.banned is not None:
            forbidden[:, self.banned.cpu()] = 1
        if self.first_banned is not None:
            forbidden[0, self.first_banned.cpu()] = 1
        if self.first_allowed is not None:
            is_allowed = torch.zeros(vocab_size, dtype=torch.bool)
            is_allowed[self.first_allowed.cpu()] = True
            forbidden[0, ~is_allowed] = 1
        return forbidden

    def apply(self, logits: Tensor, positions: Tensor) -> Tensor:
        """Set forbidden logits to `BANNED_LOGIT`, in place.

        Args:
            logits: [N, V] float32, modified.
            positions: [N] canvas position of each row.

        Returns:
            `logits`.
        """
        if self.banned is not None:
            logits[:, self.banned] = BANNED_LOGIT
        if self.first_banned is None and self.first_allowed is None:
            return logits
        first = positions == 0
        if not bool(first.any()):
            return logits
        rows = logits[first]
        if self.first_banned is not None:
            rows[:, self.first_banned] = BANNED_LOGIT
        if self.first_allowed is not None:
            limited = torch.full_like(rows, BANNED_LOGIT)
            limited[:, self.first_allowed] = rows[:, self.first_allowed]
            rows = limited
        logits[first] = rows
        return logits
