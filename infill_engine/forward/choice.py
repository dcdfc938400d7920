"""Which way a model is run: captured with our kernels where these serve, else eagerly.

Decided once, when a model is loaded, and logged. Knows nothing of how either works.
"""

import logging
from collections.abc import Callable, Sequence

import torch
from infill_kernels.backend import choose_kernels, give_up

from infill_engine.api import ConfigError
from infill_engine.forward.captured import CanvasShape, CapturedForward
from infill_engine.forward.eager import EagerForward
from infill_engine.forward.kernel_check import why_kernels_fail
from infill_engine.forward.prediction import Forward
from infill_engine.kernel_files import keep_compiled_kernels
from infill_engine.model.diffusion_gemma import DiffusionGemma

logger = logging.getLogger(__name__)

Progress = Callable[[str, float], None]


def choose_forward(
    model: DiffusionGemma,
    capacity_tokens: int,
    shapes: Sequence[CanvasShape],
    progress: Progress,
    kv_cache: str = "auto",
    num_together: int = 1,
) -> Forward:
    """Decide how to run a model, and make that ready.

    Args:
        model: on the device it runs on.
        capacity_tokens: prompt tokens to have room for.
        shapes: canvases to be ready for; others are made ready when first asked for.
        progress: called with what is being done and the share done, 0 to 1.
        kv_cache: "auto", or "fp8", which only our kernels can read.
        num_together: canvases to be ready for in one pass; more are made ready when they meet.

    Raises:
        ConfigError: INFILL_KERNELS has a value it cannot have.
        torch.OutOfMemoryError: the device has no room for the cache or for a step.
    """
    device = model.device
    try:
        choice = choose_kernels(device)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if choice.name == "triton" and model.dtype == torch.float32 and device.type == "cuda":
        logger.info("operations: reference (the kernels compute in half precision)")
        return EagerForward(model)
    if choice.name == "triton":
        if device.type == "cuda":
            keep_compiled_kernels()
        if choice.must_check:
            progress("checking kernels", 0.0)
            if (reason := why_kernels_fail(model)) is not None:
                give_up(device, reason)
                choice = choose_kernels(device)
    logger.info("operations: %s (%s)", choice.name, choice.reason)
    if choice.name == "reference":
        return EagerForward(model)
    cache_dtype = torch.float8_e4m3fn if kv_cache == "fp8" else model.dtype
    forward = CapturedForward(model, capacity_tokens, cache_dtype)
    forward.warm_up(shapes, progress, num_together)
    return forward
