"""Whether an operation runs as a Triton kernel or as its plain PyTorch reference.

The reference serves CPUs, training and whatever the kernels do not take. On a GPU the kernels serve
where the environment variable INFILL_KERNELS is `triton`: they have been interpreted and compiled
without a GPU, but never run on one yet, so nobody gets them unasked. Knows no operation. Loads
Triton only once a tensor on a GPU asks for it.
"""

import functools
import importlib.util
import os

import torch
from torch import Tensor

_DTYPES = (torch.bfloat16, torch.float16)
_OLDEST = (8, 0)  # bfloat16 on tensor cores and asynchronous copies, which the kernels live on


@functools.cache
def has_triton(device: torch.device) -> bool:
    """Whether Triton is installed, wanted and serves this GPU. Decided once a device."""
    if os.environ.get("INFILL_KERNELS") != "triton":
        return False
    if importlib.util.find_spec("triton") is None or torch.version.cuda is None:
        return False
    return torch.cuda.get_device_capability(device) >= _OLDEST


def uses_triton(x: Tensor, *others: Tensor) -> bool:
    """Whether the kernels take these tensors: on a GPU, in half precision, without gradients."""
    if not x.is_cuda or x.dtype not in _DTYPES:
        return False
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *others)):
        return False
    return has_triton(x.device)
