"""The loop that turns a noisy canvas into text: forward, sample, accept, renoise, test for the end.

Follows the reference sampler of DiffusionGemma step by step when nothing is pinned or banned (a
test compares every step). Knows nothing of prompts, text or settling; whoever drives it may pin
positions between steps, and says where predictions come from: several canvases can share a pass.
"""

from collections.abc import Generator, Iterator
from copy import copy
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from infill_engine.acceptance import accept
from infill_engine.canvas import Canvas, Noise
from infill_engine.forward.prediction import Prediction, Predictor, Wanted
from infill_engine.generation_config import GenerationConfig
from infill_engine.random_source import RandomSource
from infill_engine.stopping import StableAndConfident
from infill_engine.token_rules import TokenRules

_Event = TypeVar("_Event")


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
    """`denoising` for a canvas alone: every prediction comes from `predictor`."""
    return answered_by(predictor, denoising(canvas, schedule, noise, random, rules))


def answered_by(
    predictor: Predictor, events: Generator[Wanted | _Event, Prediction | None, None]
) -> Iterator[_Event]:
    """Drive `events`, answering each prediction it wants; yields all else."""
    answer: Prediction | None = None
    try:
        while True:
            event = events.send(answer)
            answer = None
            if isinstance(event, Wanted):
                answer = predictor.predict(*event)
            else:
                yield event
    except StopIteration:
        return
    finally:
        events.close()


def next_step(
    steps: Generator[Wanted | Step, Prediction | None, None],
) -> Generator[Wanted, Prediction | None, Step | None]:
    """Let `denoising` do one more step, passing on what it wants; None when it has ended."""
    answer: Prediction | None = None
    while True:
        try:
            event = steps.send(answer)
        except StopIteration:
            return None
        if isinstance(event, Step):
            return event
        answer = yield event


def denoising(
    canvas: Canvas,
    schedule: GenerationConfig,
    noise: Noise,
    random: RandomSource,
    rules: TokenRules | None = None,
) -> Generator[Wanted | Step, Prediction | None, None]:
    """Denoise `canvas` in place, yielding after every step, until it converges or steps run out.

    1. Run the decoder on the current canvas with the last step's belief as self-conditioning, and
       sample every free position at the scheduled temperature: yields what it wants predicted and
       is sent the prediction.
    2. Accept positions within the entropy bound and renoise the others.
    3. Test every row for convergence; converged rows no longer change.

    A schedule with t_max = 0 is greedy: the most probable token is taken, entropies are those of
    temperature 1. The caller may pin positions of `canvas`, or keep one row of it, between steps.

    Args:
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
        predicted = yield Wanted(canvas, schedule.temperature(step_idx), random, rules)
        assert predicted is not None, "whoever drives the loop answers what it wants"
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
