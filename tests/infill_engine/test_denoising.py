"""The denoising loop on a tiny random model: pins, bans, noise kinds, drafts."""

from dataclasses import replace

import pytest
import torch

from infill_engine.batch_cache import BatchCache
from infill_engine.canvas import Canvas, Noise
from infill_engine.denoising import denoise
from infill_engine.forward.eager import EagerPredictor
from infill_engine.generation_config import GenerationConfig
from infill_engine.random_source import SeededRandom
from infill_engine.token_rules import TokenRules
from tests.tiny_checkpoint import VOCAB_SIZE, tiny_model

CPU = torch.device("cpu")
SCHEDULE = GenerationConfig(max_denoising_steps=6, confidence_threshold=1e-6)
MASK = 4


@pytest.fixture(scope="module")
def model():  # noqa: ANN201
    return tiny_model()


@pytest.fixture(scope="module")
def cache(model):  # noqa: ANN001, ANN201
    cache = BatchCache()
    model.prefill(torch.arange(40, 70)[None], cache)
    return cache


def random(seed: int = 0) -> SeededRandom:
    return SeededRandom(seed, VOCAB_SIZE, CPU)


def test_pinned_positions_never_change_and_count_as_accepted(model, cache) -> None:  # noqa: ANN001
    source = random()
    canvas = Canvas.noise(1, 16, Noise(), source, CPU)
    pinned = torch.zeros(1, 16, dtype=torch.bool)
    pinned[0, [3, 9]] = True
    canvas.pin(pinned, torch.full((1, 16), 77))
    for step in denoise(EagerPredictor(model, cache), canvas, SCHEDULE, Noise(), source):
        assert canvas.current[pinned].tolist() == [77, 77]
        assert canvas.argmax[pinned].tolist() == [77, 77]
        assert step.accepted[pinned].all()


def test_pinned_neighbours_change_what_the_model_believes(model, cache) -> None:  # noqa: ANN001
    def entropy_with(token_id: int) -> torch.Tensor:
        canvas = Canvas(torch.full((1, 16), 50), torch.zeros(1, 16, dtype=torch.bool))
        pinned = torch.zeros(1, 16, dtype=torch.bool)
        pinned[0, 5] = True
        canvas.pin(pinned, torch.full((1, 16), token_id))
        next(denoise(EagerPredictor(model, cache), canvas, SCHEDULE, Noise(), random()))
        return canvas.entropy[0, :5]

    assert not torch.allclose(entropy_with(60), entropy_with(61), atol=1e-4)


def test_banned_tokens_never_appear(model, cache) -> None:  # noqa: ANN001
    banned = torch.arange(0, VOCAB_SIZE // 2)
    rules = TokenRules(banned=banned, first_allowed=torch.tensor([300, 301]))
    source = random()
    canvas = Canvas.noise(1, 16, Noise(MASK), source, CPU)
    for _ in denoise(EagerPredictor(model, cache), canvas, SCHEDULE, Noise(MASK), source, rules):
        assert not torch.isin(canvas.argmax, banned).any()
        assert canvas.argmax[0, 0] in (300, 301)
        assert torch.isfinite(canvas.entropy).all()


def test_absorbing_noise_keeps_what_it_accepts(model, cache) -> None:  # noqa: ANN001
    source, held = random(), {}
    canvas = Canvas.noise(1, 16, Noise(MASK), source, CPU)
    assert (canvas.current == MASK).all()
    for step in denoise(EagerPredictor(model, cache), canvas, SCHEDULE, Noise(MASK), source):
        for position, token_id in held.items():
            assert canvas.current[0, position] == token_id
        accepted = step.accepted[0].nonzero().flatten().tolist()
        held = {position: int(canvas.current[0, position]) for position in accepted}
        undecided = canvas.current[0, ~step.accepted[0]]
        assert (undecided == MASK).all()
    assert len(held) >= SCHEDULE.max_denoising_steps, "at least one a step"


def test_greedy_schedule_needs_no_luck(model, cache) -> None:  # noqa: ANN001
    greedy = replace(SCHEDULE, t_min=0.0, t_max=0.0)

    def run(seed: int) -> list[int]:
        canvas = Canvas.noise(1, 16, Noise(MASK), random(seed), CPU)
        for _ in denoise(EagerPredictor(model, cache), canvas, greedy, Noise(MASK), random(seed)):
            pass
        return canvas.argmax[0].tolist()

    assert run(1) == run(2)


@pytest.mark.parametrize(("fraction", "num_kept"), [(0.0, 10), (1.0, 0)])
def test_draft_is_kept_or_renoised(fraction: float, num_kept: int) -> None:
    draft = torch.arange(100, 110)
    canvas = Canvas.from_draft(draft, 16, fraction, Noise(MASK), random())
    assert (canvas.current[0, :10] == draft).sum() == num_kept
    assert (canvas.current[0, 10:] == MASK).all()
    half = Canvas.from_draft(draft, 16, 0.5, Noise(MASK), random()).current[0, :10]
    assert 0 < (half == draft).sum() < 10


def test_long_draft_is_cut_to_the_canvas() -> None:
    canvas = Canvas.from_draft(torch.arange(100, 150), 16, 0.0, Noise(), random())
    assert canvas.current[0].tolist() == list(range(100, 116))


def test_nothing_is_spent_behind_a_pinned_end() -> None:
    canvas = Canvas.noise(2, 6, Noise(MASK), random(), CPU)
    pinned = torch.zeros(2, 6, dtype=torch.bool)
    pinned[0, 2] = True
    canvas.pin(pinned, torch.full((2, 6), 5))
    canvas.close_behind(torch.tensor([5, 6]), filler_id=0)
    assert canvas.current.tolist() == [[MASK, MASK, 5, 0, 0, 0], [MASK] * 6]
    assert canvas.pinned.sum(dim=-1).tolist() == [4, 0]


def test_a_converged_row_stays_whole_beside_one_that_goes_on(model) -> None:  # noqa: ANN001
    cache = BatchCache()
    model.prefill(torch.arange(40, 70)[None].repeat(2, 1), cache)
    source = random()
    canvas = Canvas.noise(2, 16, Noise(MASK), source, CPU)
    done = torch.zeros(2, 16, dtype=torch.bool)
    done[0, :] = True
    canvas.pin(done, torch.arange(100, 116).expand(2, -1))
    # Nothing is left to resolve in the first row, so that it converges as soon as it may.
    for step in denoise(EagerPredictor(model, cache), canvas, SCHEDULE, Noise(MASK), source):
        assert canvas.current[0].tolist() == list(range(100, 116))
        assert ((canvas.current == MASK) & canvas.pinned).sum() == 0
        assert not step.converged[1]
    assert step.converged[0]
