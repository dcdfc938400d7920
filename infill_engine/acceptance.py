"""Which positions of a canvas to accept in one denoising step, by their entropies alone."""

from torch import Tensor


def accept_by_entropy(entropy: Tensor, entropy_bound: float) -> Tensor:
    """Accept the k most certain positions with sum(H) - max(H) <= bound (arXiv:2505.24857, Eq. 4).

    The left side bounds the mutual information of the accepted positions, so that they may be
    drawn independently. At least one position of every row is accepted.

    Args:
        entropy: [B, C] nats, >= 0.
        entropy_bound: nats, > 0.

    Returns:
        [B, C] bool.
    """
    ascending, order = entropy.sort(dim=-1)
    kept = ascending.cumsum(dim=-1) - ascending <= entropy_bound
    return kept.new_zeros(kept.shape).scatter(-1, order, kept)
