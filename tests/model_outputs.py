"""What a tiny model says of a prompt and of a canvas, to compare two ways of computing it.

Knows nothing of how either computes.
"""

import torch

from infill_engine.kv_cache import KVCache
from infill_engine.model.diffusion_gemma import DiffusionGemma

CPU = torch.device("cpu")


def hidden_states(model: DiffusionGemma) -> tuple[torch.Tensor, torch.Tensor]:
    """Of a prompt in two pieces, and of a canvas behind it."""
    cache = KVCache(model.config, model.dtype, CPU)
    tokens = torch.arange(7, 52).unsqueeze(0)
    parts: list[torch.Tensor] = []
    for piece in (tokens[:, :20], tokens[:, 20:]):
        cache.expect(piece[0].tolist(), 16)
        parts.append(model.prefill(piece, cache))
    canvas = torch.arange(60, 76).unsqueeze(0)
    beliefs = model.soft_embed((torch.arange(384) == torch.arange(80, 96)[:, None]).float())
    return torch.cat(parts, dim=1), model.logits(model.denoise(canvas, cache, beliefs[None]))
