"""Builds a tiny, random, complete model folder in the embedded model's form, in under a second.

Shared by all tests that need an engine. Knows no engine. The model's text is noise: test what
surrounds it, not what it says.
"""

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from infill_engine.checkpoint import load_model, save_checkpoint
from infill_engine.generation_config import GenerationConfig
from infill_engine.model.config import ModelConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma
from training.tokenizer import train_tokenizer

VOCAB_SIZE = 384
END_OF_MIDDLE_ID = 5

_CODE = '''
def total(numbers: list[int]) -> int:
    """Add up the numbers."""
    result = 0
    for number in numbers:
        result += number
    return result

class Reader:
    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> str:
        with open(self.path) as file:
            return file.read()
'''


def tiny_config(**overrides: Any) -> ModelConfig:
    """Three layers of both kinds, unequal head sizes, four experts, canvas 16, window 24."""
    sizes: dict[str, Any] = {
        "vocab_size": VOCAB_SIZE,
        "hidden_size": 32,
        "num_layers": 3,
        "num_heads": 4,
        "num_kv_heads": 2,
        "head_dim": 8,
        "num_global_kv_heads": 1,
        "global_head_dim": 16,
        "intermediate_size": 48,
        "num_experts": 4,
        "num_experts_per_token": 2,
        "moe_intermediate_size": 16,
        "sliding_window": 24,
        "layer_types": ("sliding_attention", "full_attention", "full_attention"),
        "canvas_length": 16,
        "max_position_embeddings": 4096,
    }
    return ModelConfig(**{**sizes, **overrides})


def tiny_model(config: ModelConfig | None = None, seed: int = 0) -> DiffusionGemma:
    """A model whose every tensor, norms and scalars too, is random."""
    model = DiffusionGemma(config or tiny_config())
    randomize(model, seed)
    return model.requires_grad_(False).eval()


def tiny_int8_model(folder: Path) -> DiffusionGemma:
    """The same layers in int8, by way of a checkpoint in an empty `folder`."""
    write_tiny_checkpoint(folder, quantize_int8=True)
    model = load_model(folder, torch.device("cpu"), torch.float32, None, True, None)
    return model.requires_grad_(False).eval()


@torch.no_grad()
def randomize(model: torch.nn.Module, seed: int) -> None:
    """Fill every parameter and layer scalar with values far from those of an initialisation."""
    generator = torch.Generator().manual_seed(seed)
    scalars = {n: b for n, b in model.named_buffers() if n.endswith("layer_scalar")}
    for name, tensor in sorted((dict(model.named_parameters()) | scalars).items()):
        if name in scalars:
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif ".q_norm." in name or ".k_norm." in name:  # larger ones make rounding errors grow
            tensor.uniform_(0.3, 1.0, generator=generator)
        elif tensor.dim() == 1:  # norm weights and router scales
            tensor.uniform_(0.5, 2.0, generator=generator)
        else:
            tensor.normal_(0.0, 1.0 / tensor.shape[-1] ** 0.5, generator=generator)


@cache
def tiny_tokenizer() -> Tokenizer:
    """All bytes, the special tokens of the embedded model and a few merges of Python."""
    return train_tokenizer([_CODE] * 4, vocab_size=VOCAB_SIZE)


def write_tiny_checkpoint(
    folder: Path,
    config: ModelConfig | None = None,
    generation: GenerationConfig | None = None,
    seed: int = 0,
    quantize_int8: bool = False,
) -> DiffusionGemma:
    """Write config, generation_config, tokenizer and weights; returns the model written."""
    model = tiny_model(config, seed)
    chosen = generation or GenerationConfig(
        max_denoising_steps=8,
        eos_token_ids=(1, END_OF_MIDDLE_ID),
        max_context_tokens=256,
    )
    save_checkpoint(folder, model, quantize_int8, chosen.to_dict())
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    return model
