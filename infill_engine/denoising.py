"""The loop that turns a noisy canvas into text: forward, sample, accept, renoise, test for the end.

Follows the reference sampler of DiffusionGemma step by step when nothing is pinned or banned (a
test compares every step). Knows nothing of prompts, text or settling; whoever drives it may pin
positions between steps.
"""

from collections.abc import Iterator
from copy import copy
from typing import NamedTuple

import torch
from torch import Tensor

from infill_engine.acceptance import accept
from infill_engine.canvas import Canvas, Noise
from infill_engine.forward.prediction import Predictor
from infill_engine.generation_config import GenerationConfig
from infill_engine.random_source import RandomSource
from infill_engine.stopping import StableAndConfident
from infill_engine.token_rules import TokenRules


class Step(NamedTuple):
    """What one denoising step did; the canvas itself has moved on already."""

    step_idx: int
    accepted: Tensor  # [B, C] bool, pinned positions included
    converged: Tensor  # [B] bool


def denoise(
    predictor: Predictor,
    canvas: Canvas,
    schedule: GenerationConfig,
    noise: Noise,
    random: RandomSource,
    rules: TokenRules | None = None,
) -> Iterator[Step]:
    """Denoise `canvas` in place, yielding after every step, until it converges or steps run out.

    1. Run the decoder on the current canvas with the last step's belief as self-conditioning, and
       sample every free position at the scheduled temperature.
    2. Accept positions within the entropy bound and renoise the others.
    3. Test every row for convergence; converged rows no longer change.

    A schedule with t_max = 0 is greedy: the most probable token is taken, entropies are those of
    temperature 1. The caller may pin positions of `canvas`, or keep one row of it, between steps.

    Args:
        predictor: the model over its cached prompt.
        canvas: [B, C]; modified.
        schedule: number of steps, temperatures, entropy bound and stopping thresholds.
        noise: what renoised positions hold; absorbing noise pins what is accepted.
        random: one `sample` and, with uniform noise, one `token_ids` per step, in this order.
        rules: tokens that may not be sampled.
    """
    stopping = StableAndConfident(schedule.stability_threshold, schedule.confidence_threshold)
    converged = torch.zeros(len(canvas.current), dtype=torch.bool, device=canvas.current.device)
    for step_idx in range(schedule.max_denoising_steps):
        if len(canvas.current) != len(converged):  # the caller kept one row
            stopping = StableAndConfident(
                schedule.stability_threshold, schedule.confidence_threshold
            )
            converged = converged.new_zeros(len(canvas.current))
        before = copy(canvas)
        # 1. Run the decoder and sample.
        predicted = predictor.predict(canvas, schedule.temperature(step_idx), random, rules)
        canvas.argmax, canvas.entropy = predicted.argmax, predicted.entropy
        canvas.soft_embeddings = predicted.soft_embeddings
        # 2. Accept and renoise.
        accepted = accept(canvas.open_entropy, schedule.entropy_bound, schedule.acceptance_order)
        if noise.is_absorbing:
            canvas.pin(accepted & ~canvas.pinned, predicted.sampled)
        else:
            fresh = noise.fill(tuple(canvas.current.shape), random, canvas.current.device)
            canvas.current = torch.where(accepted, predicted.sampled, fresh)
        # 3. Test for convergence; rows that converged earlier stay as they were.
        _freeze_rows(canvas, converged, before)
        num_free = (~canvas.pinned).sum(dim=-1).clamp_min(1)
        mean_entropy = canvas.open_entropy.sum(dim=-1) / num_free
        converged = converged | stopping.update(canvas.argmax, mean_entropy)
        yield Step(step_idx, accepted | canvas.pinned, converged)
        if bool(converged.all()):
            return


def _freeze_rows(canvas: Canvas, frozen: Tensor, before: Canvas) -> None:
    """Put the frozen rows [B] bool back to what they were before this step."""
    if not bool(frozen.any()):
        return
    rows = frozen[:, None]
    canvas.current = torch.where(rows, before.current, canvas.current)
    canvas.argmax = torch.where(rows, before.argmax, canvas.argmax)
    canvas.pinned = torch.where(rows, before.pinned, canvas.pinned)
    canvas.entropy = torch.where(rows, before.entropy, canvas.entropy)
    if before.soft_embeddings is not None and canvas.soft_embeddings is not None:
        canvas.soft_embeddings = torch.where(
            rows[..., None].to(canvas.soft_embeddings.device),
            before.soft_embeddings,
            canvas.soft_embeddings,
        )
