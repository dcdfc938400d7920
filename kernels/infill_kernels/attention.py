"""Grouped-query attention with scale 1: queries and keys arrive normalised.

Knows nothing of caches or windows beyond the mask it is given.
"""

from torch import Tensor
from torch.nn import functional as F


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """softmax(query @ key^T + mask) @ value, each key-value head serving H / G query heads.

    Args:
        query: [B, H, T, D].
        key: [B, G, S, D].
        value: [B, G, S, D].
        mask: bool, broadcastable to [B, H, T, S], True where a query may look; None sees all.

    Returns:
        [B, H, T, D] in the dtype of `query`.
    """
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=1.0, enable_gqa=query.shape[1] != key.shape[1]
    )
