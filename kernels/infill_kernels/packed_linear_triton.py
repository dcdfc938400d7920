"""The products of `packed_linear` on a GPU: the kernels of the experts with a single expert.

Nothing is sorted, so that each product is one launch. Picks block sizes from a table; nothing is
tuned at run time and nothing waits for the GPU. Knows nothing of layers.
"""

from torch import Tensor

from infill_kernels.moe_configs import chip_of
from infill_kernels.moe_down import down as multiply
from infill_kernels.moe_gate_up import gate_up as multiply_gated
from infill_kernels.moe_weights import ExpertMatrices
from infill_kernels.packed_linear_configs import choose_tile


def packed_linear(x: Tensor, weights: ExpertMatrices) -> Tensor:
    """x @ weight^T in one launch.

    Deterministic. Synchronizes: no; may be captured in a CUDA graph once it has run with as many
    rows before, as the first call compiles. Sums are float32 and rounded once.

    Args:
        x: [N, C] bfloat16 or float16 (float32 in tests); copied unless it is contiguous.
        weights: a stack of one in any format, [1, R, C].

    Returns:
        [N, R] in the dtype of `x`, a new tensor.

    Raises:
        ValueError: shapes, dtypes or columns do not fit the kernel.
    """
    if not len(x):
        return x.new_empty(0, weights.shape[1])  # a grid of no programs is an error
    tile = choose_tile(chip_of(x.device), weights, len(x)).linear.fitted(weights)
    return multiply(x.contiguous(), weights, None, None, tile).squeeze(1)


def packed_mlp(x: Tensor, gate_up: ExpertMatrices, down: ExpertMatrices) -> Tensor:
    """down(gelu_tanh(gate(x)) * up(x)) in two launches; see `packed_linear`.

    Args:
        x: [N, E] bfloat16 or float16 (float32 in tests), contiguous along E, any row stride.
        gate_up: a stack of one, [1, 2I, E], gate rows first.
        down: a stack of one, [1, E, I].

    Returns:
        [N, E] in the dtype of `x`, a new tensor.

    Raises:
        ValueError: shapes, strides, dtypes or columns do not fit the kernels.
    """
    if not len(x):
        return x.new_empty(0, down.shape[1])
    tile = choose_tile(chip_of(x.device), gate_up, len(x)).gated.fitted(gate_up)
    return packed_linear(multiply_gated(x, gate_up, None, tile), down)
