"""transformers' DiffusionGemma over the own model's very weights: nothing is copied.

An 80 GB card holds the bfloat16 weights once. The model is built with parameters on the meta device
and then given the own model's tensors, for decoder, encoder and head alike. Measures nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.own_model import NEVER_SURE
from benchmarks.gpu.timing import wait
from infill_engine.model.config import ModelConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma

_IMAGE_IDS = 3  # the last ids of the vocabulary stand for images here and must not be fed


class TransformersModel:
    """`generate` with fixed steps, and the clock readings of every step.

    Attributes:
        is_compiled: whether it compiles its passes, over a static cache.
    """

    def __init__(self, own: DiffusionGemma, is_compiled: bool) -> None:
        self._model = share_weights(own)
        self._device = own.device
        self.is_compiled = is_compiled

    @property
    def experts(self) -> str:
        """How it runs its experts."""
        return str(getattr(self._model.config, "_experts_implementation", "unknown"))

    def prefill(self, token_ids: list[int]) -> None:
        """Run the encoder over a prompt, into a cache of its own; waits until that is done."""
        from transformers import DynamicCache

        cache = DynamicCache(config=self._model.config.get_text_config(decoder=True))
        ids = torch.tensor([token_ids], device=self._device)
        with torch.no_grad():
            self._model.model.encoder(input_ids=ids, past_key_values=cache)
        wait(self._device)

    def logits(self, token_ids: list[int], canvas_ids: Tensor) -> Tensor:
        """[B, C, V] float32 of a canvas behind a prompt; for comparisons."""
        from transformers import DynamicCache

        cache = DynamicCache(config=self._model.config.get_text_config(decoder=True))
        ids = torch.tensor([token_ids], device=self._device)
        with torch.no_grad():
            self._model.model.encoder(input_ids=ids, past_key_values=cache)
            return self._model(decoder_input_ids=canvas_ids, past_key_values=cache).logits

    def denoise_canvases(
        self, token_ids: list[int], num_canvas: int, num_steps: int, batch: int, num_canvases: int
    ) -> "StepClock":
        """Prefill a prompt and denoise canvases one behind the other, with fixed steps."""
        from transformers.models.diffusion_gemma import generation_diffusion_gemma as generation

        self._model.config.canvas_length = num_canvas
        ids = torch.tensor([token_ids] * batch, device=self._device)
        clock = StepClock()
        cache: dict[str, Any] = {"cache_implementation": "static"} if self.is_compiled else {}
        self._model.generate(
            ids,
            streamer=clock,
            max_new_tokens=num_canvases * num_canvas,
            max_denoising_steps=num_steps,
            sampler_config=generation.EntropyBoundSamplerConfig(entropy_bound=0.1),
            t_min=0.4,
            t_max=0.8,
            stability_threshold=1,
            confidence_threshold=NEVER_SURE,
            eos_token_id=None,
            **cache,
        )
        return clock


class StepClock:
    """A streamer that reads the clock whenever transformers hands it something.

    Reading a step's canvas back to the CPU waits for it, as any editor would.

    Attributes:
        step_ms: times of steps, but for the first of every canvas, which comes with a prefill.
        canvas_ms: times of canvases but the first: the pass that commits the one before, and steps.
    """

    def __init__(self) -> None:
        self.step_ms: list[float] = []
        self.canvas_ms: list[float] = []
        self._last_step: float | None = None
        self._last_canvas: float | None = None
        self._is_prompt = True

    def put(self, value: Tensor) -> None:
        """The prompt, then every finished canvas."""
        now = time.perf_counter()
        if not self._is_prompt:
            if self._last_canvas is not None:
                self.canvas_ms.append(1000 * (now - self._last_canvas))
            self._last_canvas, self._last_step = now, None
        self._is_prompt = False

    def put_draft(self, value: Tensor) -> None:
        """The canvas after a step."""
        now = time.perf_counter()
        if self._last_step is not None:
            self.step_ms.append(1000 * (now - self._last_step))
        self._last_step = now

    def end(self) -> None:
        """Nothing more comes."""


def share_weights(own: DiffusionGemma) -> Any:
    """A `DiffusionGemmaForBlockDiffusion` whose text tensors are those of `own`."""
    from transformers import DiffusionGemmaForBlockDiffusion

    with _parameters_on_meta():
        model: Any = DiffusionGemmaForBlockDiffusion(_peer_config(own.config))
    tensors = {**dict(own.named_parameters()), **dict(own.named_buffers())}
    shared = {f"model.decoder.{name}": tensor for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        if not name.startswith("self_conditioning."):  # the decoder's alone
            shared[f"model.encoder.language_model.{name}"] = tensor
    shared["lm_head.weight"] = own.embed_tokens.weight
    found = model.load_state_dict(shared, strict=False, assign=True)
    left = [name for name in found.missing_keys if "vision" not in name]
    if left or found.unexpected_keys:
        raise RuntimeError(f"not shared: {left}, not known there: {found.unexpected_keys}")
    for name in found.missing_keys:  # the image tower, which is never run
        parent, _, leaf = name.rpartition(".")
        module = model.get_submodule(parent)
        if leaf in dict(module.named_parameters(recurse=False)):
            empty = torch.zeros(module.get_parameter(leaf).shape)
            setattr(module, leaf, nn.Parameter(empty, requires_grad=False))
    model = model.to(own.device).requires_grad_(False).eval()
    model.set_experts_implementation("grouped_mm")
    return model


@contextmanager
def _parameters_on_meta() -> Iterator[None]:
    """Modules built within it have parameters without memory, but buffers as they should be."""
    register = nn.Module.register_parameter

    def register_on_meta(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
        on_meta = None if param is None else nn.Parameter(param.to("meta"), requires_grad=False)
        register(self, name, on_meta)

    nn.Module.register_parameter = register_on_meta
    try:
        yield
    finally:
        nn.Module.register_parameter = register


def _peer_config(config: ModelConfig) -> Any:
    """The same sizes in transformers' words, with the smallest image tower."""
    from transformers import DiffusionGemmaConfig, DiffusionGemmaTextConfig, Gemma4VisionConfig

    # Fields that its type does not list go through a dictionary.
    text: dict[str, Any] = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "global_head_dim": config.global_head_dim,
        "num_global_key_value_heads": config.num_global_kv_heads,
        "num_experts": config.num_experts,
        "top_k_experts": config.num_experts_per_token,
        "moe_intermediate_size": config.moe_intermediate_size,
        "sliding_window": config.sliding_window,
        "layer_types": list(config.layer_types),
        "max_position_embeddings": config.max_position_embeddings,
        "rms_norm_eps": config.rms_norm_eps,
        "final_logit_softcapping": config.logit_softcap,
        "use_bidirectional_attention": "vision",
        "pad_token_id": 0,
    }
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
        image_token_id=config.vocab_size - 1,
        boi_token_id=config.vocab_size - 2,
        eoi_token_id=config.vocab_size - _IMAGE_IDS,
        canvas_length=config.canvas_length,
    )
