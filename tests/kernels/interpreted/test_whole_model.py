"""The whole model over the kernels, as the engine runs it on a GPU, against the plain way."""

from collections.abc import Iterator

import pytest
import torch
from infill_kernels.backend import choose_kernels, forget_choices
from torch import Tensor

from infill_engine.canvas import Canvas, Noise
from infill_engine.denoising import denoise
from infill_engine.forward.captured import CapturedForward
from infill_engine.forward.eager import EagerForward
from infill_engine.generation_config import GenerationConfig
from infill_engine.random_source import SeededRandom
from infill_engine.token_rules import TokenRules
from tests.tiny_checkpoint import VOCAB_SIZE, tiny_config, tiny_model

CPU = torch.device("cpu")
MODEL = tiny_model(tiny_config(head_dim=32, global_head_dim=64))
PROMPT = list(range(40, 71))  # beyond the window of 24
TOLERANCE = 2e-4


@pytest.fixture
def with_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("INFILL_KERNELS", "triton")
    forget_choices()
    assert choose_kernels(CPU).name == "triton"
    yield
    monkeypatch.undo()
    forget_choices()


def canvas_of(token_ids: Tensor) -> Canvas:
    return Canvas(token_ids, torch.zeros_like(token_ids, dtype=torch.bool))


def eagerly(prompt: list[int], canvas: Canvas, rules: TokenRules | None = None) -> list[Tensor]:
    """Hidden states, greedy tokens and entropies of two steps of the plain way."""
    plain = EagerForward(MODEL)
    hidden = plain.prefill(prompt)
    first = plain.predict(canvas, 0.0, SeededRandom(0, VOCAB_SIZE, CPU), rules)
    canvas.soft_embeddings = first.soft_embeddings
    second = plain.predict(canvas, 0.0, SeededRandom(0, VOCAB_SIZE, CPU), rules)
    canvas.soft_embeddings = None
    return [hidden, first.argmax, first.entropy, second.argmax, second.entropy]


def with_captured(
    forward: CapturedForward, canvas: Canvas, rules: TokenRules | None = None
) -> list[Tensor]:
    first = forward.predict(canvas, 0.0, SeededRandom(0, VOCAB_SIZE, CPU), rules)
    canvas.soft_embeddings = first.soft_embeddings
    second = forward.predict(canvas, 0.0, SeededRandom(0, VOCAB_SIZE, CPU), rules)
    canvas.soft_embeddings = None
    return [first.argmax, first.entropy, second.argmax, second.entropy]


def assert_alike(got: list[Tensor], want: list[Tensor]) -> None:
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one, other, atol=TOLERANCE, rtol=TOLERANCE)


def test_prefill_and_two_steps(request: pytest.FixtureRequest) -> None:
    """A prompt in two prefills, with pins and bans, over two rows of canvas."""
    generator = torch.Generator().manual_seed(1)
    canvas = canvas_of(torch.randint(VOCAB_SIZE, (2, 7), generator=generator))
    pinned = torch.zeros(2, 7, dtype=torch.bool)
    pinned[1, 4:] = True
    canvas.pin(pinned, torch.full((2, 7), 77))
    rules = TokenRules(banned=torch.arange(0, 200), first_allowed=torch.tensor([300, 301]))
    hidden, *want = eagerly(PROMPT, canvas, rules)
    request.getfixturevalue("with_kernels")
    forward = CapturedForward(MODEL, capacity_tokens=64)
    forward.prefill(PROMPT[:24])
    rest = forward.prefill(PROMPT[24:])
    torch.testing.assert_close(rest, hidden[24:], atol=TOLERANCE, rtol=TOLERANCE)
    assert_alike(with_captured(forward, canvas, rules), want)
    assert forward.cache.num_tokens == len(PROMPT)


def test_rolling_back_and_growing(request: pytest.FixtureRequest) -> None:
    canvas = canvas_of(torch.arange(100, 105)[None])
    typed = [*PROMPT[:20], 9, 8, 7]
    _, *want = eagerly(typed, canvas)
    request.getfixturevalue("with_kernels")
    forward = CapturedForward(MODEL, capacity_tokens=64)
    forward.prefill(PROMPT)
    with_captured(forward, canvas)
    assert forward.cache.roll_back_to(typed) == 20
    forward.cache.expect([0] * 2000, 0)  # far beyond its capacity: it moves
    forward.prefill(typed[20:])
    assert_alike(with_captured(forward, canvas), want)


def test_a_denoising_run_repeats_and_differs_by_seed(with_kernels: None) -> None:
    forward = CapturedForward(MODEL, capacity_tokens=64)
    forward.prefill(PROMPT[:9])
    schedule = GenerationConfig(max_denoising_steps=3, confidence_threshold=1e-6)

    def run(seed: int) -> list[int]:
        random = SeededRandom(seed, VOCAB_SIZE, CPU)
        canvas = Canvas.noise(1, 8, Noise(), random, CPU)
        for _ in denoise(forward, canvas, schedule, Noise(), random):
            assert torch.isfinite(canvas.entropy).all()
        return canvas.current[0].tolist()

    assert run(1) == run(1)
    assert run(1) != run(2)
