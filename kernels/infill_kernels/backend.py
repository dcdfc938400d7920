"""Whether operations run as Triton kernels or as their plain PyTorch references.

Chosen once a device. The reference serves CPUs, training and whatever the kernels do not take; on
a GPU the kernels serve, unless the environment variable INFILL_KERNELS says `reference` or somebody
who has checked them there gives up on them. Knows no operation. Loads Triton only once a tensor on
a GPU asks for it.
"""

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

VARIABLE = "INFILL_KERNELS"
WISHES = ("auto", "triton", "reference")
_OLDEST = (8, 0)  # bfloat16 on tensor cores and asynchronous copies, which the kernels live on


@dataclass(frozen=True, slots=True)
class KernelChoice:
    """Attributes:
    name: what runs.
    reason: why, to be logged.
    must_check: whether the kernels should prove themselves on this device first.
    """

    name: Literal["triton", "reference"]
    reason: str
    must_check: bool = False


_choices: dict[torch.device, KernelChoice] = {}


def choose_kernels(device: torch.device) -> KernelChoice:
    """What runs on a device; decided at the first call and kept.

    Raises:
        ValueError: INFILL_KERNELS is none of `WISHES`.
    """
    if device not in _choices:
        _choices[device] = _choose(device)
    return _choices[device]


def give_up(device: torch.device, reason: str) -> None:
    """Have the references run on a device from now on, because `reason`."""
    _choices[device] = KernelChoice("reference", reason)


@contextlib.contextmanager
def only_references(device: torch.device) -> Iterator[None]:
    """Have the references run on a device within a `with`, to compare with."""
    held = choose_kernels(device)
    _choices[device] = KernelChoice("reference", "for comparison")
    try:
        yield
    finally:
        _choices[device] = held


def forget_choices() -> None:
    """Decide anew, for tests that change the environment."""
    _choices.clear()


def uses_triton(x: Tensor, *others: Tensor) -> bool:
    """Whether the kernels take these tensors: half precision on a GPU, without gradients."""
    if x.is_cuda:
        if x.dtype not in (torch.bfloat16, torch.float16):
            return False
    elif not _is_interpreted(x.device):
        return False
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *others)):
        return False
    return choose_kernels(x.device).name == "triton"


def _choose(device: torch.device) -> KernelChoice:
    wish = os.environ.get(VARIABLE, "auto")
    if wish not in WISHES:
        raise ValueError(f"{VARIABLE} is {wish!r}; allowed are {', '.join(WISHES)}.")
    if wish == "reference":
        return KernelChoice("reference", f"{VARIABLE} asks for it")
    if _is_interpreted(device):
        return KernelChoice("triton", "interpreted on the CPU")
    if device.type != "cuda" or torch.version.cuda is None:
        return KernelChoice("reference", f"the kernels need an NVIDIA GPU; the device is {device}")
    if importlib.util.find_spec("triton") is None:
        return KernelChoice("reference", "Triton is not installed: pip install 'infill-ls[gpu]'")
    capability = torch.cuda.get_device_capability(device)
    if capability < _OLDEST:
        return KernelChoice(
            "reference",
            f"the kernels need compute capability 8.0; {torch.cuda.get_device_name(device)} has "
            f"{capability[0]}.{capability[1]}",
        )
    name = torch.cuda.get_device_name(device)
    return KernelChoice("triton", f"for {name}", must_check=wish == "auto")


def _is_interpreted(device: torch.device) -> bool:
    """Triton's interpreter, asked for: the way the kernels are tested without a GPU."""
    return (
        device.type == "cpu"
        and os.environ.get("TRITON_INTERPRET") == "1"
        and os.environ.get(VARIABLE) == "triton"
    )
