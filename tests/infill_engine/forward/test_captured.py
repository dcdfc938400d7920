"""The way models run on a GPU, over the plain operations: same answers as the eager way.

On a CPU nothing is captured and no kernel runs; tests/kernels/interpreted has the kernels.
"""

import pytest
import torch
from infill_kernels import backend
from infill_kernels.backend import KernelChoice

from infill_engine.api import ConfigError
from infill_engine.canvas import Canvas, Noise
from infill_engine.denoising import denoise
from infill_engine.forward import row_caches
from infill_engine.forward.captured import CapturedForward
from infill_engine.forward.choice import choose_forward
from infill_engine.forward.eager import EagerForward
from infill_engine.forward.kernel_check import why_kernels_fail
from infill_engine.forward.prediction import Forward
from infill_engine.generation_config import GenerationConfig
from infill_engine.random_source import SeededRandom
from infill_engine.token_rules import TokenRules
from tests.tiny_checkpoint import VOCAB_SIZE, tiny_model

CPU = torch.device("cpu")
MODEL = tiny_model()
PROMPT = [10 + i % 300 for i in range(320)]
GREEDY = GenerationConfig(max_denoising_steps=4, t_min=0.0, t_max=0.0, confidence_threshold=1e-6)
TOLERANCE = 1e-4


def forwards() -> tuple[EagerForward, CapturedForward]:
    return EagerForward(MODEL), CapturedForward(MODEL, capacity_tokens=64)


def canvas_of(*shape: int) -> Canvas:
    ids = torch.randint(VOCAB_SIZE, shape, generator=torch.Generator().manual_seed(1))
    return Canvas(ids, torch.zeros_like(ids, dtype=torch.bool))


def steps(forward: Forward, canvas: Canvas, rules: TokenRules | None = None) -> list[list[int]]:
    """Greedy argmax of every step; half of the canvas is pinned after the second."""
    found: list[list[int]] = []
    random = SeededRandom(0, VOCAB_SIZE, CPU)
    for step in denoise(forward, canvas, GREEDY, Noise(), random, rules):
        found.append(canvas.argmax.flatten().tolist())
        if step.step_idx == 1:
            half = torch.arange(canvas.current.shape[1]) < canvas.current.shape[1] // 2
            canvas.pin(half.expand_as(canvas.pinned), canvas.argmax)
    return found


def test_prefills_of_every_size_and_steps_after_them() -> None:
    """Captured with padding, uncaptured without, and growing past what was reserved."""
    eager, captured = forwards()
    begin = 0
    for num_tokens in (1, 7, 8, 9, 63, 200, 32):
        chunk = PROMPT[begin : begin + num_tokens]
        begin += num_tokens
        got, want = captured.prefill(chunk), eager.prefill(chunk)
        torch.testing.assert_close(got, want, atol=TOLERANCE, rtol=TOLERANCE)
        assert captured.cache.token_ids == PROMPT[:begin]
        assert steps(captured, canvas_of(1, 16)) == steps(eager, canvas_of(1, 16))


def test_a_prefill_too_long_to_be_captured() -> None:
    eager, captured = forwards()
    got, want = captured.prefill(PROMPT[:300]), eager.prefill(PROMPT[:300])
    torch.testing.assert_close(got, want, atol=TOLERANCE, rtol=TOLERANCE)


def test_rows_pins_and_bans() -> None:
    eager, captured = forwards()
    rules = TokenRules(banned=torch.arange(100), first_allowed=torch.tensor([200, 201]))
    for forward in (eager, captured):
        forward.prefill(PROMPT[:40])
    assert steps(captured, canvas_of(3, 9), rules) == steps(eager, canvas_of(3, 9), rules)
    # Other rules, then none: what was forbidden before must not stay so.
    assert steps(captured, canvas_of(3, 9)) == steps(eager, canvas_of(3, 9))


def test_going_on_with_one_row_keeps_its_belief() -> None:
    found: list[list[int]] = []
    for forward in forwards():
        forward.prefill(PROMPT[:40])
        canvas = canvas_of(3, 9)
        for step in denoise(forward, canvas, GREEDY, Noise(), SeededRandom(0, VOCAB_SIZE, CPU)):
            if step.step_idx == 0:
                canvas.keep_row(1)
        found.append(canvas.argmax[0].tolist())
    assert found[0] == found[1]


def test_rolling_back() -> None:
    eager, captured = forwards()
    typed = [*PROMPT[:20], 9, 8, 7]
    captured.prefill(PROMPT[:50])
    steps(captured, canvas_of(1, 16))
    assert captured.cache.roll_back_to(typed) == 20
    captured.prefill(typed[20:])
    eager.prefill(typed)
    assert steps(captured, canvas_of(1, 16)) == steps(eager, canvas_of(1, 16))


def test_draws_repeat_by_seed_and_differ_from_step_to_step() -> None:
    _, captured = forwards()
    captured.prefill(PROMPT[:30])

    def drawn(seed: int) -> list[list[int]]:
        random = SeededRandom(seed, VOCAB_SIZE, CPU)
        canvas = canvas_of(1, 16)
        return [captured.predict(canvas, 1.0, random, None).sampled[0].tolist() for _ in range(2)]

    first, second = drawn(2**63)
    assert [first, second] == drawn(2**63)
    assert first != second
    assert drawn(-1) != drawn(2**63)


def test_warming_up_tells_how_far_it_is() -> None:
    _, captured = forwards()
    shares: list[float] = []
    captured.warm_up([(1, 16), (3, 16)], lambda _what, share: shares.append(share))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_both_ways_agree_by_their_own_check() -> None:
    assert why_kernels_fail(MODEL) is None


def test_an_operation_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(query: torch.Tensor, *others: object) -> torch.Tensor:
        return torch.zeros_like(query)

    monkeypatch.setattr(row_caches, "attend_own_caches", wrong)
    assert "differs from the references" in str(why_kernels_fail(MODEL))


def test_kernels_that_do_not_run_give_way_to_the_references(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a GPU with a broken driver: a CPU's memory is nothing that a kernel can read."""
    pytest.importorskip("triton", reason="Triton is installed on Linux only")
    monkeypatch.setitem(backend._choices, CPU, KernelChoice("triton", "for a test", True))
    caplog.set_level("INFO", "infill_engine")
    forward = choose_forward(MODEL, 64, [(1, 16)], lambda _what, _share: None)
    assert isinstance(forward, EagerForward)
    assert "in a trial step" in backend.choose_kernels(CPU).reason
    assert "operations: reference" in caplog.text
    eager, _ = forwards()
    assert torch.equal(forward.prefill(PROMPT[:20]), eager.prefill(PROMPT[:20]))


def test_a_wrong_wish_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFILL_KERNELS", "cuda")
    backend.forget_choices()
    with pytest.raises(ConfigError, match="INFILL_KERNELS is 'cuda'; allowed are auto, triton"):
        choose_forward(MODEL, 64, [(1, 16)], lambda _what, _share: None)
    monkeypatch.undo()
    backend.forget_choices()
