"""Products with packed weights: one matrix, or the gated MLP of two.

The plain PyTorch reference, which unpacks at every call: right on any device, and slow. On a GPU
the Triton kernels in `packed_linear_triton` read the packed weights themselves. Knows no layers.
"""

from torch import Tensor
from torch.nn import functional as F

from infill_kernels.backend import uses_triton
from infill_kernels.moe_weights import ExpertMatrices, unpack


def packed_linear(x: Tensor, weights: ExpertMatrices) -> Tensor:
    """x @ weight^T.

    Args:
        x: [N, C] of any float dtype on the weights' device, any strides.
        weights: a stack of one, [1, R, C].

    Returns:
        [N, R] in the dtype of `x`.

    Raises:
        ValueError: shapes do not fit, or there is more than one matrix.
    """
    _check(x, weights)
    if uses_triton(x):
        from infill_kernels import packed_linear_triton

        return packed_linear_triton.packed_linear(x, weights)
    return F.linear(x, unpack(weights)[0].to(x.dtype))


def packed_mlp(x: Tensor, gate_up: ExpertMatrices, down: ExpertMatrices) -> Tensor:
    """down(gelu_tanh(gate(x)) * up(x)).

    Args:
        x: [N, E] of any float dtype on the weights' device, any strides.
        gate_up: a stack of one, [1, 2I, E], gate rows first.
        down: a stack of one, [1, E, I], in the same format.

    Returns:
        [N, E] in the dtype of `x`.

    Raises:
        ValueError: shapes or formats do not fit each other.
    """
    _check(x, gate_up)
    if down.shape != (1, x.shape[1], gate_up.shape[1] // 2) or down.format != gate_up.format:
        raise ValueError(f"gate_up {gate_up.shape} and down {down.shape} do not fit each other")
    if uses_triton(x):
        from infill_kernels import packed_linear_triton

        return packed_linear_triton.packed_mlp(x, gate_up, down)
    gate, up = F.linear(x, unpack(gate_up)[0].to(x.dtype)).chunk(2, dim=-1)
    inner = F.gelu(gate, approximate="tanh") * up
    return F.linear(inner, unpack(down)[0].to(x.dtype))


def _check(x: Tensor, weights: ExpertMatrices) -> None:
    num_matrices, _, columns = weights.shape
    if num_matrices != 1 or x.ndim != 2 or x.shape[1] != columns:
        raise ValueError(f"x {tuple(x.shape)} must be [N, {columns}], and weights a stack of one")
