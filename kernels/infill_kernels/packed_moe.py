"""The mixture of experts with packed weights.

The plain PyTorch reference unpacks one expert at a time, and only those some row chose: right on
any device, and slow. On a GPU the Triton kernels in `moe_fused` read the packed weights themselves.
Knows nothing of layers or residuals.
"""

from torch import Tensor
from torch.nn import functional as F

from infill_kernels.backend import uses_triton
from infill_kernels.moe_weights import ExpertMatrices, unpack


def run_packed_choices(
    x: Tensor, gate_up: ExpertMatrices, down: ExpertMatrices, weights: Tensor, expert_idx: Tensor
) -> Tensor:
    """down(gelu_tanh(gate(x)) * up(x)) of each row's experts, times weights, not yet added up.

    Synchronizes: only the reference does.

    Args:
        x: [N, E] of any float dtype on the weights' device.
        gate_up: [X, 2I, E], gate rows first.
        down: [X, E, I], in the same format.
        weights: [N, K] float32.
        expert_idx: [N, K] int64; X or more leaves a choice out.

    Returns:
        [N, K, E] in the dtype of `x`. What choices left out hold is anything where the Triton
        kernels run, else zeros.
    """
    if uses_triton(x, weights):
        from infill_kernels import moe_fused

        return moe_fused.run_choices(x, gate_up, down, weights, expert_idx)
    flat_idx, shares = expert_idx.flatten(), weights.flatten().to(x.dtype)
    out = x.new_zeros(len(flat_idx), x.shape[1])
    for expert in flat_idx.unique().tolist():
        if expert >= gate_up.shape[0]:
            continue
        pairs = (flat_idx == expert).nonzero().squeeze(1)
        both = unpack(gate_up.only(expert))[0].to(x.dtype)
        gate, up = F.linear(x[pairs // expert_idx.shape[1]], both).chunk(2, dim=-1)
        inner = F.gelu(gate, approximate="tanh") * up
        answer = F.linear(inner, unpack(down.only(expert))[0].to(x.dtype))
        out[pairs] = answer * shares[pairs].unsqueeze(-1)
    return out.view(*expert_idx.shape, -1)
