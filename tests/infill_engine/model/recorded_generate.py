"""Runs transformers' `generate` and writes down every draw and every step, to be replayed.

Holds what the parity test of the sampler needs; asserts only that a replay asks for what was drawn.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DiffusionGemmaForBlockDiffusion
from transformers.models.diffusion_gemma import generation_diffusion_gemma as generation


@dataclass
class ReferenceStep:
    """What one denoising step of transformers left behind."""

    accepted: Tensor  # [B, C] bool
    current: Tensor  # [B, C] int64, renoised
    argmax: Tensor  # [B, C] int64
    is_finished: Tensor  # [B] bool


@dataclass
class Recording:
    """One call of `generate`: its draws in order, its steps, and what it returned."""

    token_ids: list[Tensor] = field(default_factory=list)
    samples: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # probabilities, drawn ids
    canvases: list[list[ReferenceStep]] = field(default_factory=list)
    sequences: Tensor = field(default_factory=lambda: torch.empty(0))


class ReplayedRandom:
    """A random source that repeats a recording, and checks that the same was asked for."""

    def __init__(self, recording: Recording, tolerance: float) -> None:
        self._token_ids = iter(recording.token_ids)
        self._samples = iter(recording.samples)
        self._tolerance = tolerance
        self.largest_error = 0.0

    def token_ids(self, shape: tuple[int, ...]) -> Tensor:
        ids = next(self._token_ids)
        assert tuple(ids.shape) == shape
        return ids

    def sample(self, probabilities: Tensor) -> Tensor:
        wanted, ids = next(self._samples)
        error = (probabilities.view_as(wanted) - wanted).abs().max().item()
        assert error < self._tolerance
        self.largest_error = max(self.largest_error, error)
        return ids.view(probabilities.shape[:-1])

    def is_used_up(self) -> bool:
        return next(self._token_ids, None) is None and next(self._samples, None) is None


def record_generate(
    model: DiffusionGemmaForBlockDiffusion, prompt_ids: Tensor, **settings: Any
) -> Recording:
    """Call `generate` with every draw and step written down."""
    recording = Recording()
    sampler = generation.EntropyBoundSampler
    randint, multinomial = torch.randint, torch.multinomial
    accept, step, prepare = (
        sampler.accept_canvas,
        model._denoising_step,
        model._prepare_denoiser_inputs,
    )
    accepted: list[Tensor] = []

    def recorded_randint(**arguments: Any) -> Tensor:
        recording.token_ids.append(randint(**arguments))
        return recording.token_ids[-1]

    def recorded_multinomial(probabilities: Tensor, num_samples: int) -> Tensor:
        drawn = multinomial(probabilities, num_samples=num_samples)
        recording.samples.append((probabilities.clone(), drawn))
        return drawn

    def recorded_accept(self: Any, *arguments: Any) -> Tensor:
        canvas = accept(self, *arguments)
        accepted.append(self.accepted_token_mask.clone())
        return canvas

    def recorded_prepare(**arguments: Any) -> Any:
        recording.canvases.append([])
        return prepare(**arguments)

    def recorded_step(**arguments: Any) -> Any:
        current, argmax, logits, is_finished = step(**arguments)
        done = ReferenceStep(accepted[-1], current.clone(), argmax.clone(), is_finished.clone())
        recording.canvases[-1].append(done)
        return current, argmax, logits, is_finished

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation.torch, "randint", recorded_randint)
        patch.setattr(generation.torch, "multinomial", recorded_multinomial)
        patch.setattr(sampler, "accept_canvas", recorded_accept)
        patch.setattr(model, "_denoising_step", recorded_step, raising=False)
        patch.setattr(model, "_prepare_denoiser_inputs", recorded_prepare, raising=False)
        recording.sequences = model.generate(prompt_ids, **settings).sequences
    return recording
