"""The full-size model with seeded random weights, made on the device itself.

Random weights say nothing of quality; they make every product as costly as the real ones and route
rows almost evenly, which is the most that a step can have to read. Knows no checkpoint.
"""

from typing import Any

import torch
from infill_kernels.moe_weights import ExpertMatrices, pack_float8, pack_int4
from infill_kernels.moe_weights import WeightFormat as KernelFormat
from torch import Tensor, nn

from benchmarks.gpu.floors import WeightFormat
from benchmarks.gpu.scale import Scale
from infill_engine.kv_cache import KVCache
from infill_engine.model.config import ModelConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model.layers import Router

_STD = 0.02
_SKEW = 1.0  # exponent of the popularity's power law


def build_model(scale: Scale, seed: int, weight_format: WeightFormat = "bf16") -> DiffusionGemma:
    """A model in `scale.dtype`, or with packed matrices; same seed and device, same weights.

    Built on the meta device and filled tensor by tensor: never more than one matrix too much.
    """
    with torch.device("meta"):
        model = DiffusionGemma(scale.config)
        if weight_format != "bf16":
            _use_packed_layers(model, weight_format)
    generator = torch.Generator(device=scale.device).manual_seed(seed)
    for module in model.modules():
        if hasattr(module, "matrices"):
            _fill_packed(module, scale, generator)
        else:
            _fill(module, scale, generator)
    return model.requires_grad_(False).eval()


def _use_packed_layers(model: DiffusionGemma, weight_format: WeightFormat) -> None:
    """Replace the layers that a checkpoint of floats rounded to this format would have packed."""
    from infill_engine.checkpoint import layout
    from infill_engine.checkpoint.packing import forms_of_floats
    from infill_engine.model.packed_layers import use_packed_layers

    assert weight_format != "bf16"
    forms = forms_of_floats(layout.decoder_tensors(model.config), weight_format)
    use_packed_layers(model, {layout.parameter_name(name): form for name, form in forms.items()})


def _fill(module: nn.Module, scale: Scale, generator: torch.Generator) -> None:
    """Materialise the tensors that are the module's own: matrices random, the others ones."""
    for name, parameter in list(module.named_parameters(recurse=False)):
        filled = _filled(parameter.shape, scale, generator)
        setattr(module, name, nn.Parameter(filled, requires_grad=False))
    for name, buffer in list(module.named_buffers(recurse=False)):
        setattr(module, name, _filled(buffer.shape, scale, generator))


def _fill_packed(module: Any, scale: Scale, generator: torch.Generator) -> None:
    """The same random numbers, rounded as a checkpoint's would be."""
    matrices: ExpertMatrices = module.matrices
    group = None if matrices.group == matrices.num_columns else matrices.group
    weight = _filled(torch.Size(matrices.shape), scale, generator)
    if matrices.format == KernelFormat.FLOAT8:
        packed = pack_float8(weight, group)
    else:
        packed = pack_int4(weight, matrices.group)
    module.values, module.scales = packed.values, packed.scales


class SkewedRouters:
    """Within it, the routers prefer few experts: rows of their matrices shrink by rank.

    In place, so that every model that shares the weights is skewed too. Scores are products with
    these rows, so that the larger ones win more often, by a power law.
    """

    def __init__(self, model: DiffusionGemma, seed: int) -> None:
        self._model, self._seed = model, seed
        self._kept: list[tuple[Tensor, Tensor]] = []

    def __enter__(self) -> None:
        """Skew."""
        config: ModelConfig = self._model.config
        generator = torch.Generator().manual_seed(self._seed)
        for router in routers(self._model):
            ranks = torch.randperm(config.num_experts, generator=generator) + 1
            weight = router.proj.weight.data
            self._kept.append((weight, weight.clone()))
            weight.mul_(ranks.pow(-_SKEW).to(weight)[:, None])

    def __exit__(self, *_: object) -> None:
        """Put the rows back."""
        for weight, before in self._kept:
            weight.copy_(before)
        self._kept.clear()


def count_experts_hit(model: DiffusionGemma, prompt: list[int], canvas_ids: Tensor) -> float:
    """Different experts that a layer reads for a canvas behind a prompt, in the mean over layers.

    Counted in a pass of its own, operation by operation: a captured graph tells nothing.
    """
    cache = KVCache(model.config, model.dtype, model.device)
    cache.expect(prompt, canvas_ids.shape[1])
    chosen: list[Tensor] = []

    def note(_module: nn.Module, _inputs: object, out: tuple[Tensor, Tensor]) -> None:
        chosen.append(out[1])

    with torch.no_grad():
        model.prefill(torch.tensor([prompt], device=model.device), cache)
        hooks = [router.register_forward_hook(note) for router in routers(model)]
        try:
            model.denoise(canvas_ids, cache)
        finally:
            for hook in hooks:
                hook.remove()
    return sum(float(idx.unique().numel()) for idx in chosen) / len(chosen)


def routers(model: DiffusionGemma) -> list[Router]:
    """One for each layer, in order."""
    return [module for module in model.modules() if isinstance(module, Router)]


def _filled(shape: torch.Size, scale: Scale, generator: torch.Generator) -> Tensor:
    out = torch.empty(shape, dtype=scale.dtype, device=scale.device)
    return out.normal_(0, _STD, generator=generator) if len(shape) > 1 else out.fill_(1.0)
