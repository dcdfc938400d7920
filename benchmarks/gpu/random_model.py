"""The full-size model with seeded random weights, made on the device itself.

Random weights say nothing of quality; they make every product as costly as the real ones and route
rows almost evenly, which is the most that a step can have to read. Knows no checkpoint.
"""

import torch
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
    generator = torch.Generator(device=scale.device).manual_seed(seed)
    for module in model.modules():
        fill_module(module, scale, generator)
    model = model.requires_grad_(False).eval()
    if weight_format != "bf16":
        pack_model(model, weight_format)
    return model


def fill_module(module: nn.Module, scale: Scale, generator: torch.Generator) -> None:
    """Materialise the tensors that are the module's own: matrices random, the others ones."""
    for name, parameter in list(module.named_parameters(recurse=False)):
        filled = _filled(parameter, scale, generator)
        setattr(module, name, nn.Parameter(filled, requires_grad=False))
    for name, buffer in list(module.named_buffers(recurse=False)):
        setattr(module, name, _filled(buffer, scale, generator))


def pack_model(model: DiffusionGemma, weight_format: WeightFormat) -> None:
    """Replace the layers' matrices by packed ones, layer by layer. Modifies the model."""
    raise NotImplementedError(f"{weight_format} models cannot be packed in memory yet")


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


def _filled(like: Tensor, scale: Scale, generator: torch.Generator) -> Tensor:
    out = torch.empty(like.shape, dtype=scale.dtype, device=scale.device)
    return out.normal_(0, _STD, generator=generator) if like.ndim > 1 else out.fill_(1.0)
