"""Root-mean-square normalisation in float32, with an optional weight."""

import torch
from torch import Tensor
from torch.nn import functional as F

from infill_kernels.backend import uses_triton


def rms_norm(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """Scale the last axis to unit root-mean-square: x / sqrt(mean(x^2) + eps) * weight.

    Args:
        x: [..., E], any float dtype.
        weight: [E] or None.
        eps: added to the mean square, > 0.

    Returns:
        [..., E] in the dtype of `x`; computed in float32.
    """
    if uses_triton(x):
        from infill_kernels import layer_norms_triton

        return layer_norms_triton.rms_norm(x.flatten(0, -2), weight, eps).view(x.shape)
    if x.dtype == torch.float32 and (weight is None or weight.dtype == torch.float32):
        return F.rms_norm(x, x.shape[-1:], weight, eps)
    normed = F.rms_norm(x.float(), x.shape[-1:], None, eps)
    if weight is not None:
        normed = normed * weight.float()
    return normed.to(x.dtype)
