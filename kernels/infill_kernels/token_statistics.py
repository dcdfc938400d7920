"""What the sampler needs to know of each position's distribution, in one pass over the logits."""

from typing import NamedTuple

import torch
from torch import Tensor


class TokenStatistics(NamedTuple):
    """Per canvas position; probabilities are at the given temperature."""

    entropy: Tensor  # [B, C] float32, nats
    argmax: Tensor  # [B, C] int64
    probabilities: Tensor  # [B, C, V] float32


def token_statistics(logits: Tensor) -> TokenStatistics:
    """Entropy H = -sum p log p, argmax and probabilities of every position.

    Args:
        logits: [B, C, V] float32, already divided by the temperature; -inf marks banned tokens.

    Returns:
        Entropy in nats (a banned token counts nothing), argmax and probabilities.
    """
    log_p = logits.log_softmax(dim=-1)
    probabilities = log_p.exp()
    # 0 * -inf is NaN; a banned token has probability exactly 0.
    entropy = -(probabilities * log_p.clamp_min(torch.finfo(log_p.dtype).min)).sum(dim=-1)
    return TokenStatistics(entropy, logits.argmax(dim=-1), probabilities)
