"""What happens to queries, keys and values between their projections and attention.

The plain reference; where `backend` lets it, `heads_triton` does the same in one launch. Knows
nothing of projections or caches.
"""

from torch import Tensor

from infill_kernels.backend import uses_triton
from infill_kernels.rms_norm import rms_norm
from infill_kernels.rotary import rotate


def prepare_heads(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_weight: Tensor,
    key_weight: Tensor,
    cos: Tensor,
    sin: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise each head, and turn queries and keys by their positions' angles.

    Args:
        query: [B, T, H, D], raw projection, D even.
        key: [B, T, G, D].
        value: [B, T, G, D]; may be the very tensor `key`, as in layers without a value projection.
        query_weight: [D] of the queries' norm.
        key_weight: [D] of the keys' norm; that of the values has none.
        cos: [B or 1, T, 1, D / 2], same dtype as `query`.
        sin: like `cos`.
        eps: added to mean squares, > 0.

    Returns:
        query [B, T, H, D], key and value [B, T, G, D], new tensors.
    """
    if uses_triton(query, key, value):
        from infill_kernels import heads_triton

        return heads_triton.prepare_heads(
            query, key, value, query_weight, key_weight, cos, sin, eps
        )
    return (
        rotate(rms_norm(query, query_weight, eps), cos, sin),
        rotate(rms_norm(key, key_weight, eps), cos, sin),
        rms_norm(value, None, eps),
    )
