"""The model that a configuration names, in the numbers that suit its device, and a word on both.

Chooses the format, loads, and says in one sentence what to do when memory runs out. Knows nothing
of requests.
"""

import logging
from collections.abc import Callable
from typing import Any

import psutil
import torch

from infill_engine.api import OutOfMemory
from infill_engine.checkpoint import load_model
from infill_engine.config import EngineConfig
from infill_engine.gpu_format import GpuFormat, available_bytes
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model.packed_layers import packed_matrices
from infill_engine.precision import Precision

logger = logging.getLogger(__name__)

_WORKING_BYTES = 1 << 30  # activations of a long prefill, and the graphs of another slot


def load_configured(
    config: EngineConfig, progress: Callable[[str, float], None] | None = None
) -> tuple[DiffusionGemma, GpuFormat | None]:
    """Load what `config` names, and say what was chosen on a GPU.

    Raises:
        ConfigError: device, checkpoint and dtype do not go together.
        CheckpointError: files are missing, damaged or do not fit.
        OutOfMemory: the device cannot hold the weights; says what to do.
    """
    device, on_gpu = config.torch_device(), config.gpu_format()
    precision = config.precision() if on_gpu is None else on_gpu.precision
    if precision.reason:
        logger.info("format: %s", precision.reason)
    try:
        model = load_model(
            config.folder,
            device,
            precision.dtype,
            progress,
            precision.has_int8_weights,
            precision.packing,
        )
    except OutOfMemory as error:
        raise out_of_memory(on_gpu, device) if on_gpu is not None else error from None
    return model.requires_grad_(False).eval(), on_gpu


def has_memory_for(num_bytes: int, device: torch.device) -> bool:
    """Whether a loaded model's device holds so many bytes more and still has room to work."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free_bytes = torch.cuda.mem_get_info(device)[0] + unused
    else:
        free_bytes = psutil.virtual_memory().available
    return free_bytes >= num_bytes + _WORKING_BYTES


def out_of_memory(on_gpu: GpuFormat | None, device: torch.device) -> OutOfMemory:
    """What to raise when a loaded model has run out of memory: one sentence with ways out."""
    if on_gpu is not None:
        return on_gpu.out_of_memory(available_bytes(device))
    return OutOfMemory(
        f"The {device.type} ran out of memory. Lower max_context_tokens, close other programs that "
        "use it, or choose a smaller or quantized model."
    )


def describe_weights(model: DiffusionGemma, on_gpu: GpuFormat | None) -> dict[str, Any]:
    """In which numbers a model is, why, and how many; for status displays."""
    weights, packed = model.weights(), packed_matrices(model)
    has_int8 = any(weight.dtype == torch.int8 for weight in weights)
    precision = Precision(model.dtype, has_int8) if on_gpu is None else on_gpu.precision
    num_parameters = sum(weight.numel() for weight in weights)
    num_bytes = sum(weight.numel() * weight.element_size() for weight in weights)
    return {
        "dtype": precision.name,
        "format_reason": precision.reason,
        "num_parameters": num_parameters + sum(one.num_parameters for one in packed),
        "num_weight_bytes": num_bytes + sum(one.matrices.num_bytes for one in packed),
    }
