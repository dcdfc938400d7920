"""With the same random numbers, every step of a whole `generate` is that of transformers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DiffusionGemmaForBlockDiffusion
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSamplerConfig,
)

from infill_engine.batch_cache import BatchCache
from infill_engine.canvas import Canvas, Noise
from infill_engine.denoising import denoise
from infill_engine.forward.eager import EagerPredictor
from infill_engine.generation_config import GenerationConfig
from infill_engine.middle import Middle
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.tokenizer import Tokenizer
from tests.infill_engine.model.recorded_generate import (
    Recording,
    ReferenceStep,
    ReplayedRandom,
    record_generate,
)
from tests.infill_engine.model.reference import (
    CANVAS,
    CASES,
    Case,
    load_ours,
    random_ids,
    random_reference,
)
from tests.tiny_checkpoint import tiny_tokenizer

TOLERANCE = 1e-4
SCHEDULE = GenerationConfig(
    max_denoising_steps=12, entropy_bound=0.5, confidence_threshold=0.4, eos_token_ids=()
)


@pytest.fixture(autouse=True)
def one_thread_no_gradients() -> Iterator[None]:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors this small only wait for each other
    torch.manual_seed(0)
    with torch.no_grad():
        yield
    torch.set_num_threads(num_threads)


def calm_reference(case: Case) -> DiffusionGemmaForBlockDiffusion:
    """A random model that mostly believes its canvas.

    So canvases converge after a while; and rounding errors, which a wild model's self-conditioning
    multiplies at every step, stay small.
    """
    model = random_reference(case)
    for layer in model.model.decoder.layers:
        layer.post_attention_layernorm.weight.mul_(0.25)
        layer.post_feedforward_layernorm.weight.mul_(0.25)
    model.model.decoder.self_conditioning.down_proj.weight.mul_(0.15)
    model.model.decoder.norm.weight.mul_(1.5)
    return model


def reference_settings(schedule: GenerationConfig, num_canvases: int) -> dict[str, Any]:
    return {
        "max_denoising_steps": schedule.max_denoising_steps,
        "sampler_config": EntropyBoundSamplerConfig(entropy_bound=schedule.entropy_bound),
        "t_min": schedule.t_min,
        "t_max": schedule.t_max,
        "stability_threshold": schedule.stability_threshold,
        "confidence_threshold": schedule.confidence_threshold,
        "max_new_tokens": num_canvases * CANVAS,
        "eos_token_id": list(schedule.eos_token_ids) or None,
        "pad_token_id": 0,
    }


def check_canvas(
    ours: DiffusionGemma,
    cache: BatchCache,
    schedule: GenerationConfig,
    random: ReplayedRandom,
    recorded: list[ReferenceStep],
) -> Tensor:
    """Denoise one canvas and compare every step; returns its argmax."""
    canvas = Canvas.noise(len(recorded[0].current), CANVAS, Noise(), random, torch.device("cpu"))
    num_steps = 0
    for step in denoise(EagerPredictor(ours, cache), canvas, schedule, Noise(), random):
        theirs = recorded[step.step_idx]
        assert torch.equal(step.accepted, theirs.accepted)
        assert torch.equal(canvas.current, theirs.current)
        assert torch.equal(canvas.argmax, theirs.argmax)
        assert torch.equal(step.converged, theirs.is_finished)
        num_steps += 1
    assert num_steps == len(recorded)
    return canvas.argmax


def compare(
    case: Case, schedule: GenerationConfig, num_canvases: int, folder: Path
) -> tuple[Recording, float]:
    """Run both; returns what was recorded and the largest difference of any probability."""
    reference = calm_reference(case)
    ours = load_ours(reference, folder)
    prompt_ids = random_ids(ours.config, case.batch, case.num_prompt, seed=1)
    settings = reference_settings(schedule, num_canvases)
    recording = record_generate(reference, prompt_ids, **settings)
    random = ReplayedRandom(recording, TOLERANCE)
    cache = BatchCache()
    ours.prefill(prompt_ids, cache)
    written = [prompt_ids]
    for recorded in recording.canvases:
        argmax = check_canvas(ours, cache, schedule, random, recorded)
        written.append(argmax)
        ours.prefill(argmax, cache)
    assert random.is_used_up()
    if not schedule.eos_token_ids:
        assert torch.equal(torch.cat(written, dim=1), recording.sequences)
    return recording, random.largest_error


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_step_of_three_canvases(case: Case, tmp_path: Path) -> None:
    recording, error = compare(case, SCHEDULE, 3, tmp_path)
    assert error < TOLERANCE / 10
    num_accepted = {int(n) for c in recording.canvases for s in c for n in s.accepted.sum(dim=-1)}
    assert len(num_accepted) > 1  # the acceptance rule had something to decide


def test_rows_finish_at_different_steps(tmp_path: Path) -> None:
    recording, _ = compare(CASES[3], SCHEDULE, 3, tmp_path)
    finished_rows = [step.is_finished.sum().item() for c in recording.canvases for step in c]
    assert {0, 1, 3} <= set(finished_rows)


@pytest.mark.parametrize(
    "changes",
    [
        {"stability_threshold": 0},
        {"stability_threshold": 3},
        {"confidence_threshold": 1e-6},
        {"entropy_bound": 1e-3},
        {"entropy_bound": 50.0},
        {"t_min": 0.2, "t_max": 1.5},
        {"max_denoising_steps": 1},
    ],
    ids=str,
)
def test_schedules(changes: dict[str, Any], tmp_path: Path) -> None:
    compare(CASES[3], replace(SCHEDULE, **changes), 2, tmp_path)


def test_end_token_ends_the_text_where_transformers_ends_it(tmp_path: Path) -> None:
    case = CASES[0]
    without_end, _ = compare(case, SCHEDULE, 3, tmp_path)
    end_id = int(without_end.canvases[1][-1].argmax[0, 3])
    assert end_id not in without_end.canvases[0][-1].argmax
    torch.manual_seed(0)
    with_end, _ = compare(case, replace(SCHEDULE, eos_token_ids=(end_id,)), 3, tmp_path)

    prompt: Any = SimpleNamespace(healed="", stop_text="")
    middle = Middle(Tokenizer(tiny_tokenizer()), prompt, (end_id,), "block", 3 * CANVAS)
    for canvas_idx, steps in enumerate(with_end.canvases):
        middle.show(steps[-1].argmax[0].tolist(), CANVAS)
        is_last = canvas_idx == len(with_end.canvases) - 1
        assert middle.ending(settled_only=False) == ("mark" if is_last else None)
        middle.commit()
    text = with_end.sequences[0, case.num_prompt :].tolist()
    assert len(with_end.canvases) == 2
    assert middle.token_ids == text[: text.index(end_id)]
