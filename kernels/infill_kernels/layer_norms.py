"""The norms between a layer's parts, with the additions beside them.

The plain PyTorch reference; `layer_norms_triton` takes one launch each. Knows nothing of what the
parts compute.
"""

from torch import Tensor

from infill_kernels.rms_norm import rms_norm


def branch_inputs(
    residual: Tensor,
    attended: Tensor,
    attended_weight: Tensor | None,
    dense_weight: Tensor | None,
    sparse_weight: Tensor | None,
    router_scale: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """After attention: the new residual, and what the three readers of it are given.

    Args:
        residual: [N, E].
        attended: [N, E], attention's answer before its norm.
        attended_weight: [E] (post_attention_layernorm).
        dense_weight: [E] (pre_feedforward_layernorm).
        sparse_weight: [E] (pre_feedforward_layernorm_2).
        router_scale: [E] (router.scale).
        eps: added to mean squares, > 0.

    Returns:
        residual + norm(attended), and of it the inputs of the dense MLP, the experts and the
        router, [N, E] each; new tensors.
    """
    residual = residual + rms_norm(attended, attended_weight, eps)
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
    dense_norm: Tensor | None,
    sparse_norm: Tensor | None,
    branch_norm: Tensor | None,
    layer_scalar: Tensor,
    eps: float,
) -> Tensor:
    """The end of a layer: (residual + branch_norm(dense_norm(dense) + sparse_norm(sparse))) * s.

    Args:
        sparse: [N, E] the experts' answer, or [N, K, E] choices to be added up.
        dense: [N, E], the dense MLP's answer.
        residual: [N, E].
        dense_norm: [E] (post_feedforward_layernorm_1).
        sparse_norm: [E] (post_feedforward_layernorm_2).
        branch_norm: [E] (post_feedforward_layernorm).
        layer_scalar: [1].
        eps: added to mean squares, > 0.

    Returns:
        [N, E], a new tensor.
    """
    if sparse.ndim == 3:
        sparse = sparse.sum(dim=1)
    both = rms_norm(dense, dense_norm, eps) + rms_norm(sparse, sparse_norm, eps)
    return (residual + rms_norm(both, branch_norm, eps)) * layer_scalar
