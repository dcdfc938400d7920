"""Queries, keys and values as attention wants them: normed per head, and turned by position.

The plain PyTorch reference; `heads_triton` does it in one launch. Knows nothing of caches.
"""

from torch import Tensor

from infill_kernels.rms_norm import rms_norm
from infill_kernels.rotary import rotate


def prepare_heads(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_weight: Tensor | None,
    key_weight: Tensor | None,
    cos: Tensor,
    sin: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Norm each head, with weights for queries and keys, and turn queries and keys.

    Args:
        query: [B, T, H, D].
        key: [B, T, G, D].
        value: [B, T, G, D]; may be the very tensor `key`.
        query_weight: [D].
        key_weight: [D].
        cos: [B or 1, T, 1, D / 2].
        sin: like `cos`.
        eps: added to mean squares, > 0.

    Returns:
        Query, key and value, new tensors of the same shapes.
    """
    return (
        rotate(rms_norm(query, query_weight, eps), cos, sin),
        rotate(rms_norm(key, key_weight, eps), cos, sin),
        rms_norm(value, None, eps),
    )
