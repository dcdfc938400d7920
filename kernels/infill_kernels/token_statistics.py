"""What the sampler needs to know of each position's distribution, in one pass over the logits."""

from typing import NamedTuple

import torch
from torch import Tensor

BANNED_LOGIT = -1e30
"""Finite at any temperature, so that its product with a probability of 0 is 0."""


class TokenStatistics(NamedTuple):
    """Per canvas position; probabilities are at the given temperature."""

    entropy: Tensor  # [B, C] float32, nats
    argmax: Tensor  # [B, C] int64
    probabilities: Tensor  # [B, C, V] float32


def token_statistics(logits: Tensor) -> TokenStatistics:
    """Entropy H = -sum p log p, argmax and probabilities of every position.

    With z = logits - max: H = log(sum e^z) - sum p z, and the most probable token has p = 1 / sum
    e^z, so one softmax and one product do without the logarithm of every probability.

    Args:
        logits: [B, C, V] float32, finite, already divided by the temperature; `BANNED_LOGIT`
            leaves a token a probability of exactly 0.

    Returns:
        Entropy in nats (a banned token counts nothing), argmax and probabilities.
    """
    largest, argmax = logits.max(dim=-1, keepdim=True)
    probabilities = logits.softmax(dim=-1)
    log_sum = -probabilities.gather(-1, argmax).squeeze(-1).log()
    entropy = log_sum - torch.linalg.vecdot(probabilities, logits - largest)
    return TokenStatistics(entropy.clamp_min(0.0), argmax.squeeze(-1), probabilities)
