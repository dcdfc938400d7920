"""The norms, additions and scalings between a layer's products.

The plain references, with the roundings of the published model; where `backend` lets them,
`layer_norms_triton` and `moe_combine` do the same in one launch each. Knows no products.
"""

from torch import Tensor

from infill_kernels.backend import uses_triton
from infill_kernels.rms_norm import rms_norm


def branch_inputs(
    residual: Tensor,
    attended: Tensor,
    attended_weight: Tensor,
    dense_weight: Tensor,
    sparse_weight: Tensor,
    router_scale: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Add what attention found, and norm the sum for each of the three that read it.

    Args:
        residual: [N, E].
        attended: [N, E], the attention's output projection.
        attended_weight: [E] of the norm of `attended` (post_attention_layernorm).
        dense_weight: [E] (pre_feedforward_layernorm).
        sparse_weight: [E] (pre_feedforward_layernorm_2).
        router_scale: [E], the router's own; its norm has no weight.
        eps: added to mean squares, > 0.

    Returns:
        The new residual and the inputs of dense MLP, experts and router, [N, E] each, new tensors.
    """
    if uses_triton(residual, attended):
        from infill_kernels import layer_norms_triton

        return layer_norms_triton.branch_inputs(
            residual,
            attended,
            attended_weight,
            dense_weight,
            sparse_weight,
            router_scale,
            eps,
        )
    residual = residual + rms_norm(attended, attended_weight, eps)
    # The router reads the raw residual; fed a normed one, the published model won't converge.
    router_in = rms_norm(residual, None, eps) * router_scale * residual.shape[-1] ** -0.5
    return (
        residual,
        rms_norm(residual, dense_weight, eps),
        rms_norm(residual, sparse_weight, eps),
        router_in,
    )


def finish_layer(
    sparse: Tensor,
    dense: Tensor,
    residual: Tensor,
    dense_norm: Tensor,
    sparse_norm: Tensor,
    branch_norm: Tensor,
    layer_scalar: Tensor,
    eps: float,
) -> Tensor:
    """(residual + branch_norm(dense_norm(dense) + sparse_norm(sparse))) * layer_scalar.

    Args:
        sparse: [N, E], the experts' answer, or [N, K, E], the choices to be added up.
        dense: [N, E], the dense MLP's answer.
        residual: [N, E].
        dense_norm: [E] weight (post_feedforward_layernorm_1).
        sparse_norm: [E] weight (post_feedforward_layernorm_2).
        branch_norm: [E] weight (post_feedforward_layernorm).
        layer_scalar: [1].
        eps: added to mean squares, > 0.

    Returns:
        [N, E], a new tensor.
    """
    if uses_triton(sparse, dense, residual):
        from infill_kernels import moe_combine

        return moe_combine.combine_branches(
            sparse, dense, residual, dense_norm, sparse_norm, branch_norm, layer_scalar, eps
        )
    if sparse.ndim == 3:
        sparse = sparse.sum(dim=1)
    both = rms_norm(dense, dense_norm, eps) + rms_norm(sparse, sparse_norm, eps)
    return (residual + rms_norm(both, branch_norm, eps)) * layer_scalar
