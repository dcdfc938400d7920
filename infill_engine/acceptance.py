"""Which positions of a canvas to accept in one denoising step, by their entropies and places."""

from typing import Literal, get_args

from torch import Tensor

AcceptanceOrder = Literal["surest", "leading"]
"""Which positions come first: the surest ones wherever they stand, or those from the left."""

ACCEPTANCE_ORDERS: tuple[AcceptanceOrder, ...] = get_args(AcceptanceOrder)


def accept(entropy: Tensor, entropy_bound: float, order: AcceptanceOrder) -> Tensor:
    """Accept positions of every row, in `order`, while the entropy bound allows.

    Args:
        entropy: [B, C] nats, >= 0; 0 where a position is pinned.
        entropy_bound: nats, > 0.
        order: see `AcceptanceOrder`.

    Returns:
        [B, C] bool; at least one open position of every row that has one.
    """
    if order == "leading":
        return accept_leading(entropy, entropy_bound)
    return accept_surest(entropy, entropy_bound)


def accept_surest(entropy: Tensor, entropy_bound: float) -> Tensor:
    """Accept the k most certain positions with sum(H) - max(H) <= bound (arXiv:2505.24857, Eq. 4).

    The left side bounds the mutual information of the accepted positions, so that they may be
    drawn independently.
    """
    ascending, order = entropy.sort(dim=-1)
    kept = ascending.cumsum(dim=-1) - ascending <= entropy_bound
    return kept.new_zeros(kept.shape).scatter(-1, order, kept)


def accept_leading(entropy: Tensor, entropy_bound: float) -> Tensor:
    """Accept the longest run from the left with sum(H) - max(H) <= bound: the same bound in order.

    What a row accepts leaves no gaps, so all of it may be shown at once.
    """
    return entropy.cumsum(dim=-1) - entropy.cummax(dim=-1).values <= entropy_bound
