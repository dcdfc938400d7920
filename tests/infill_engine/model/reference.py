"""Small random DiffusionGemma models of transformers, saved and loaded back by this project.

Holds what the parity tests share; asserts nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    DiffusionGemmaTextConfig,
    DynamicCache,
    Gemma4VisionConfig,
)

from infill_engine.checkpoint import load_model
from infill_engine.model.config import ModelConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma
from tests.tiny_checkpoint import randomize

CANVAS = 8


@dataclass(frozen=True)
class Case:
    """One shape of model and prompt."""

    name: str
    num_prompt: int
    batch: int
    window: int
    num_kv_heads: int
    num_global_kv_heads: int | None
    global_head_dim: int
    num_experts: int
    num_experts_per_token: int
    num_layers: int = 3
    hidden_size: int = 32


CASES = [
    Case("prompt inside the window", 6, 1, 16, 1, None, 16, 4, 2),
    Case("prompt longer than the window", 29, 3, 8, 2, 1, 16, 8, 2, num_layers=6),
    Case("prompt fills the window", 8, 1, 8, 4, 2, 8, 16, 4, hidden_size=48),
    Case("prompt one short of the window", 7, 3, 8, 4, 1, 24, 4, 1),
    Case("one token before a long canvas", 1, 1, 4, 2, 4, 8, 16, 8, num_layers=7),
]


def reference_config(case: Case) -> DiffusionGemmaConfig:
    """The transformers config of a case, with the smallest image tower."""
    text: dict[str, Any] = {
        "vocab_size": 96,
        "hidden_size": case.hidden_size,
        "intermediate_size": 40,
        "num_hidden_layers": case.num_layers,
        "num_attention_heads": 4,
        "num_key_value_heads": case.num_kv_heads,
        "head_dim": 8,
        "global_head_dim": case.global_head_dim,
        "num_global_key_value_heads": case.num_global_kv_heads,
        "num_experts": case.num_experts,
        "top_k_experts": case.num_experts_per_token,
        "moe_intermediate_size": 24,
        "sliding_window": case.window,
        "max_position_embeddings": 512,
        "use_bidirectional_attention": "vision",
    }
    if case.num_layers == 3:  # otherwise the default pattern of five sliding layers and a full one
        text["layer_types"] = ["sliding_attention", "full_attention", "full_attention"]
    image = Gemma4VisionConfig(
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
        position_embedding_size=4,
        patch_size=2,
        pooling_kernel_size=1,
    )
    return DiffusionGemmaConfig(
        text_config=DiffusionGemmaTextConfig(**text),
        vision_config=image,
        image_token_id=95,
        boi_token_id=94,
        eoi_token_id=93,
        canvas_length=CANVAS,
    )


def random_reference(case: Case, seed: int = 0) -> DiffusionGemmaForBlockDiffusion:
    """A transformers model whose norms, scales and layer scalars are random too."""
    model = DiffusionGemmaForBlockDiffusion(reference_config(case)).eval()
    randomize(model, seed)
    layers = zip(model.model.encoder.language_model.layers, model.model.decoder.layers, strict=True)
    for encoder_layer, decoder_layer in layers:
        encoder_layer.layer_scalar.copy_(decoder_layer.layer_scalar)
    return model


def load_ours(reference: DiffusionGemmaForBlockDiffusion, folder: Path) -> DiffusionGemma:
    """Save as transformers does, load as the engine does."""
    reference.save_pretrained(folder)
    return load_model(folder, torch.device("cpu"), torch.float32)


def random_ids(config: ModelConfig, *shape: int, seed: int) -> Tensor:
    """Token ids below those that stand for images."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, config.vocab_size - 3, shape, generator=generator)


def reference_prefill(model: DiffusionGemmaForBlockDiffusion, prompt_ids: Tensor) -> DynamicCache:
    """Run the encoder; its cache of a sliding layer holds the last window - 1 tokens."""
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    model.model.encoder(input_ids=prompt_ids, past_key_values=cache)
    return cache
