"""In which numbers a GPU computes a checkpoint: its free memory and the folder asked, then chosen.

`format_choice` has the arithmetic, `checkpoint` the loading. Knows nothing of requests.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from infill_kernels.backend import uses_triton

from infill_engine.api import ConfigError, OutOfMemory
from infill_engine.checkpoint import stored_bytes
from infill_engine.format_choice import (
    CheckpointFacts,
    FormatChoice,
    choose_format,
    out_of_memory_sentence,
    require_format,
)
from infill_engine.model.config import read_model_config
from infill_engine.model.quantization import Packing, WeightFormat, read_weight_format
from infill_engine.precision import Precision, choose_precision


@dataclass(frozen=True, slots=True)
class GpuFormat:
    """Attributes:
    precision: what was chosen, with the reason.
    facts: of the checkpoint, as it is loaded.
    name: of the format, as `format_choice` names it; "float32" where nothing was computed.
    context_tokens: prompt tokens that are to fit.
    """

    precision: Precision
    facts: CheckpointFacts
    name: str
    context_tokens: int

    def out_of_memory(self, available_bytes: int) -> OutOfMemory:
        """What to raise when memory ran out: one sentence with three ways out.

        Args:
            available_bytes: what the device has free, and what this process holds of it.
        """
        if self.precision.dtype == torch.float32:
            return OutOfMemory(
                "The GPU ran out of memory in float32. Set dtype to auto, lower "
                "max_context_tokens, or set device to cpu, which is much slower."
            )
        sentence = out_of_memory_sentence(
            available_bytes, self.facts, self.context_tokens, self.name
        )
        return OutOfMemory(sentence)


def choose_gpu_format(
    asked: str,
    device: torch.device,
    folder: Path,
    context_tokens: int,
    free_bytes: int,
    has_kernels: bool,
) -> GpuFormat:
    """What `asked`, one of `precision.DTYPES`, means for a GPU and a checkpoint.

    1. What is asked for is taken, if the checkpoint can be computed so.
    2. "auto" takes a quantised checkpoint as it is stored, if the kernels run and know the format;
       a float one in the most precise format that fits.

    Args:
        asked: the setting.
        device: a GPU; only for messages.
        folder: of the checkpoint.
        context_tokens: prompt tokens to keep.
        free_bytes: of the device's memory.
        has_kernels: whether the Triton kernels run there.

    Raises:
        ConfigError: the checkpoint cannot be computed in what is asked for.
        OutOfMemory: it does not fit; one sentence with three ways out.
        CheckpointError: files are missing or damaged.
    """
    config, raw_config = read_model_config(folder)
    how = read_weight_format(raw_config)
    as_floats, stored = CheckpointFacts(config), packing_of(how)
    as_stored = replace(as_floats, how=how, stored_bytes=0 if how is None else stored_bytes(folder))

    def required(facts: CheckpointFacts, name: str, why: str, packing: Packing | None) -> GpuFormat:
        choice = require_format(free_bytes, facts, context_tokens, name, why)
        return _format(facts, choice, packing, context_tokens)

    # 1. What is asked for.
    precision = choose_precision(asked, device, is_stored_int8=False)
    if precision.dtype == torch.float32:
        return GpuFormat(precision, as_floats, precision.name, context_tokens)
    if asked != "auto":
        if precision.packing is None or how is None:
            return required(as_floats, asked, f"dtype is {asked}", precision.packing)
        if stored != precision.packing:
            raise ConfigError(
                f"dtype is {asked}, but the checkpoint is stored in {how.title}, and rounding "
                "twice loses more. Set dtype to auto or bfloat16, or use the original release."
            )
        return required(as_stored, how.title, "it is stored", stored)
    # 2. "auto".
    if how is None:
        choice = choose_format(free_bytes, as_floats, context_tokens)
        packing: Packing | None = None
        if choice.name == "fp8" or choice.name == "int4":
            packing = choice.name
        return _format(as_floats, choice, packing, context_tokens)
    if stored is None:
        return required(as_floats, "bfloat16", f"kernels know no {how.title}", None)
    if not has_kernels:
        try:
            return required(as_floats, "bfloat16", "the kernels do not run here", None)
        except OutOfMemory:
            pass  # the references unpack at every call, which is slow but fits
    return required(as_stored, how.title, "it is stored", stored)


def packing_of(how: WeightFormat | None) -> Packing | None:
    """What matrices stored as `how` are kept in; None for floats and where they are widened."""
    if how is None:
        return None
    if how.name == "fp8":
        return "fp8"
    if how.name in ("nvfp4", "nvfp4_modelopt"):
        return "nvfp4"
    return "int4" if how.num_bits == 4 else None


def available_bytes(device: torch.device) -> int:
    """What a GPU has free, and what this process holds and could use again."""
    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)


def kernels_run(device: torch.device) -> bool:
    """Whether the Triton kernels run on a GPU.

    Raises:
        ConfigError: the environment asks for something unknown.
    """
    try:
        return uses_triton(torch.empty(0, dtype=torch.bfloat16, device=device))
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _format(
    facts: CheckpointFacts, choice: FormatChoice, packing: Packing | None, context_tokens: int
) -> GpuFormat:
    precision = Precision(torch.bfloat16, packing=packing, reason=choice.reason)
    return GpuFormat(precision, facts, choice.name, context_tokens)
