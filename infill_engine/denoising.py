"""The loop that turns a noisy canvas into text: forward, sample, accept, renoise, test for the end.

Follows the reference sampler of DiffusionGemma step by step when nothing is pinned or banned (a
test compares every step). Knows nothing of prompts, text or settling; whoever drives it may pin
positions between steps.
"""

from collections.abc import Iterator
from copy import copy
from typing import NamedTuple

import torch
from infill_kernels import token_statistics
from torch import Tensor

from infill_engine.acceptance import accept
from infill_engine.canvas import Canvas, Noise
from infill_engine.generation_config import GenerationConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma, PromptCache
from infill_engine.random_source import RandomSource
from infill_engine.stopping import StableAndConfident
from infill_engine.token_rules import TokenRules


class Step(NamedTuple):
    """What one denoising step did; the canvas itself has moved on already."""

    step_idx: int
    accepted: Tensor  # [B, C] bool, pinned positions included
    converged: Tensor  # [B] bool


def denoise(
    model: DiffusionGemma,
    cache: PromptCache,
    canvas: Canvas,
    schedule: GenerationConfig,
    noise: Noise,
    random: RandomSource,
    rules: TokenRules | None = None,
) -> Iterator[Step]:
    """Denoise `canvas` in place, yielding after every step, until it converges or steps run out.

    1. Run the decoder on the current canvas with the last step's belief as self-conditioning.
    2. Sample every free position at the scheduled temperature.
    3. Accept positions within the entropy bound and renoise the others.
    4. Test every row for convergence; converged rows no longer change.

    A schedule with t_max = 0 is greedy: the most probable token is taken, entropies are those of
    temperature 1. The caller may pin positions of `canvas`, or keep one row of it, between steps.

    Args:
        model: its config gives the shapes.
        cache: the prompt; only read.
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
        # 1. Run the decoder.
        hidden = model.denoise(canvas.current, cache, _self_conditioning(model, canvas))
        # 2. Sample every free position.
        sampled = _predict(model, canvas, hidden, schedule.temperature(step_idx), random, rules)
        # 3. Accept and renoise.
        accepted = accept(canvas.open_entropy, schedule.entropy_bound, schedule.acceptance_order)
        if noise.is_absorbing:
            canvas.pin(accepted & ~canvas.pinned, sampled)
        else:
            fresh = noise.fill(tuple(canvas.current.shape), random, canvas.current.device)
            canvas.current = torch.where(accepted, sampled, fresh)
        # 4. Test for convergence; rows that converged earlier stay as they were.
        _freeze_rows(canvas, converged, before)
        num_free = (~canvas.pinned).sum(dim=-1).clamp_min(1)
        mean_entropy = canvas.open_entropy.sum(dim=-1) / num_free
        converged = converged | stopping.update(canvas.argmax, mean_entropy)
        yield Step(step_idx, accepted | canvas.pinned, converged)
        if bool(converged.all()):
            return


def _self_conditioning(model: DiffusionGemma, canvas: Canvas) -> Tensor | None:
    """What the last step believed, and certainty where a position is pinned."""
    if not bool(canvas.pinned.any()):
        return canvas.soft_embeddings
    known = model.embed(canvas.current)
    believed = canvas.soft_embeddings
    if believed is None:
        believed = torch.zeros_like(known)
    return torch.where(canvas.pinned[..., None], known, believed)


def _predict(
    model: DiffusionGemma,
    canvas: Canvas,
    hidden: Tensor,
    temperature: float,
    random: RandomSource,
    rules: TokenRules | None,
) -> Tensor:
    """Fill in argmax, entropy and self-conditioning of the free positions; returns the sample.

    Only free positions go through the head: a pinned one is known and its entropy is 0.
    """
    free = ~canvas.pinned
    is_greedy = temperature == 0.0
    logits = model.logits(hidden[free])
    if rules is not None:
        rules.apply(logits, free.nonzero()[:, 1])
    statistics = token_statistics(logits if is_greedy else logits / temperature)
    drawn = statistics.argmax if is_greedy else random.sample(statistics.probabilities)
    canvas.argmax = canvas.current.masked_scatter(free, statistics.argmax)
    canvas.entropy = canvas.entropy.masked_scatter(free, statistics.entropy)
    believed = model.soft_embed(statistics.probabilities)
    canvas.soft_embeddings = believed.new_zeros(*free.shape, believed.shape[-1])
    canvas.soft_embeddings[free] = believed
    return canvas.current.masked_scatter(free, drawn)


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
            rows[..., None], before.soft_embeddings, canvas.soft_embeddings
        )
