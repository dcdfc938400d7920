"""In which numbers a model is computed, chosen once when it is loaded.

Knows what devices are good at; nothing of models.
"""

from dataclasses import dataclass, field

import torch
from infill_kernels import multiplies_int8

from infill_engine.api import ConfigError
from infill_engine.model.quantization import Packing

DTYPES = ("auto", "float32", "bfloat16", "int8", "fp8", "int4")


@dataclass(frozen=True, slots=True)
class Precision:
    """Attributes:
    dtype: of activations, keys and values, and of the weights that are nothing else.
    has_int8_weights: whether matrices, routers' aside, are int8 and multiplied as such.
    packing: what matrices in layers are kept in on a GPU; None for `dtype`.
    reason: why, in one sentence; empty where there was nothing to choose.
    """

    dtype: torch.dtype
    has_int8_weights: bool = False
    packing: Packing | None = None
    reason: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """As a user would ask for it."""
        if self.has_int8_weights:
            return "int8"
        return self.packing or str(self.dtype).removeprefix("torch.")


def choose_precision(asked: str, device: torch.device, is_stored_int8: bool) -> Precision:
    """What `asked`, one of `DTYPES`, means for a device and a checkpoint.

    "auto" takes bfloat16 on a GPU, where `gpu_format` also knows other formats. On a CPU it takes
    int8 where the weights are stored so and the CPU multiplies it (decision 0019), else bfloat16
    where the CPU multiplies that (0015), else float32: emulated products are slower than those of
    floats.

    Raises:
        ConfigError: int8 is asked for on a GPU, or fp8 or int4 on a CPU.
    """
    is_cpu = device.type == "cpu"
    if asked in ("fp8", "int4"):
        if is_cpu:
            raise ConfigError(
                f"dtype is {asked}, which runs on a GPU only; the device is {device}. "
                "Set dtype to auto, float32, bfloat16 or int8, or the device to cuda."
            )
        return Precision(torch.bfloat16, packing="fp8" if asked == "fp8" else "int4")
    if asked == "int8":
        if not is_cpu:
            raise ConfigError(
                f"dtype is int8, which runs on a CPU only; the device is {device}. "
                "Set dtype to auto or bfloat16, or the device to cpu."
            )
        return Precision(torch.float32, has_int8_weights=True)
    if asked == "float32":
        return Precision(torch.float32)
    if asked == "bfloat16" or not is_cpu:
        return Precision(torch.bfloat16)
    if is_stored_int8 and multiplies_int8():
        return Precision(torch.float32, has_int8_weights=True)
    able = torch.cpu.get_capabilities()
    has_bfloat16 = able.get("avx512_bf16", False) or able.get("amx_bf16", False)
    return Precision(torch.bfloat16 if has_bfloat16 else torch.float32)
