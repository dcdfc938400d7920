"""The whole model over the kernels, as the engine runs it on a GPU, against the plain way.

Two tests, as every launch takes the interpreter milliseconds; what goes on around the kernels is
for tests/infill_engine/forward.
"""

from collections.abc import Iterator

import pytest
import torch
from infill_kernels.backend import choose_kernels, forget_choices
from torch import Tensor

from infill_engine.canvas import Canvas
from infill_engine.forward import captured
from infill_engine.forward.captured import CapturedForward
from infill_engine.forward.eager import EagerForward
from infill_engine.forward.prediction import Prediction, Wanted
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


def test_prefill_and_two_steps(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt in two padded prefills, with pins and bans, over two rows of canvas."""
    monkeypatch.setattr(captured, "_PREFILL_BUCKETS", (8, 32))
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


def test_three_canvases_in_one_pass(request: pytest.FixtureRequest) -> None:
    """Prompts of other lengths, one empty; a row of the pass is idle."""
    prompts = [PROMPT, PROMPT[:5], []]
    ids = [(torch.arange(7)[None] * 11 + 3 * idx) % VOCAB_SIZE for idx in range(3)]

    def wanted(idx: int) -> Wanted:
        return Wanted(canvas_of(ids[idx]), 0.0, SeededRandom(0, VOCAB_SIZE, CPU), None)

    want: list[Prediction] = []
    for idx, prompt in enumerate(prompts):
        plain = EagerForward(MODEL)
        if prompt:
            plain.prefill(prompt)
        want.append(plain.predict(*wanted(idx)))
    request.getfixturevalue("with_kernels")
    first = CapturedForward(MODEL, capacity_tokens=64)
    forwards = [first, first.sibling(), first.sibling()]
    for forward, prompt in zip(forwards, prompts, strict=True):
        if prompt:
            forward.prefill(prompt)
    answers = first.graphs.share([f.wish(wanted(idx)) for idx, f in enumerate(forwards)])
    for got, one in zip(answers, want, strict=True):
        assert isinstance(got, Prediction)
        assert_alike(
            [got.argmax, got.entropy, got.soft_embeddings],
            [one.argmax, one.entropy, one.soft_embeddings],
        )
