"""Captured steps taken together, over the plain operations: what each canvas gets alone.

On a CPU nothing is captured and no kernel runs; tests/kernels/interpreted has the kernels, and
test_on_gpu.py the capture.
"""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from infill_engine.canvas import Canvas
from infill_engine.forward import Prediction, Wanted, row_caches
from infill_engine.forward.captured import CapturedForward
from infill_engine.forward.captured_decoder import CapturedDecoder
from infill_engine.forward.company_check import is_company_right
from infill_engine.forward.prediction import Forward
from infill_engine.forward.together import Together
from infill_engine.random_source import SeededRandom
from infill_engine.token_rules import TokenRules
from tests.tiny_checkpoint import VOCAB_SIZE, tiny_model

CPU = torch.device("cpu")
MODEL = tiny_model()
TOLERANCE = 1e-4
# (prompt tokens, rows, positions): within and beyond the window of 24, no prompt, anchored gaps.
SHAPES = [(5, 1, 16), (60, 3, 16), (300, 1, 9), (24, 1, 16), (0, 1, 9), (25, 1, 5)]


def forwards(shapes: Sequence[tuple[int, int, int]] = SHAPES) -> list[CapturedForward]:
    """Forwards of one model, each with a prompt of its own."""
    first = CapturedForward(MODEL, capacity_tokens=512)
    made = [first, *(first.sibling() for _ in shapes[1:])]
    for idx, (forward, (num_prompt, _, _)) in enumerate(zip(made, shapes, strict=True)):
        if num_prompt:
            forward.prefill([(7 * i + idx) % VOCAB_SIZE for i in range(num_prompt)])
    return made


def wishes(
    made: Sequence[CapturedForward], temperature: float = 0.0
) -> list[tuple[Forward, Wanted]]:
    """Some on their first step, some pinned in part, some with rules."""
    generator = torch.Generator().manual_seed(3)
    found: list[tuple[Forward, Wanted]] = []
    for idx, (forward, (_, num_rows, length)) in enumerate(zip(made, SHAPES, strict=False)):
        ids = torch.randint(VOCAB_SIZE, (num_rows, length), generator=generator)
        canvas = Canvas(ids, torch.zeros_like(ids, dtype=torch.bool))
        if idx % 2:
            size = MODEL.config.hidden_size
            canvas.soft_embeddings = torch.randn(*ids.shape, size, generator=generator)
            canvas.pin(torch.arange(length).expand_as(ids) < length // 3, ids)
        rules = TokenRules(banned=torch.arange(100 + idx)) if idx > 1 else None
        random = SeededRandom(idx, VOCAB_SIZE, CPU)
        found.append((forward, Wanted(canvas, temperature, random, rules)))
    return found


def alone(temperature: float = 0.0) -> list[Prediction]:
    found = wishes(forwards(), temperature)
    return [forward.predict(*wanted) for forward, wanted in found]


def assert_alike(got: Prediction | Exception, want: Prediction) -> None:
    assert isinstance(got, Prediction), got
    assert torch.equal(got.argmax, want.argmax)
    assert torch.equal(got.sampled, want.sampled)
    for ours, theirs in ((got.entropy, want.entropy), (got.soft_embeddings, want.soft_embeddings)):
        torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Canvases and rows of every shared pass that has run."""
    seen: list[tuple[int, int]] = []
    run = CapturedDecoder.run

    def noted(
        self: CapturedDecoder, canvases: Sequence[Canvas], caches: object
    ) -> list[torch.Tensor]:
        seen.append((len(canvases), self.num_rows))
        return run(self, canvases, caches)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(CapturedDecoder, "run", noted)
    return seen


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_each_gets_what_it_gets_alone(temperature: float, passes: list[tuple[int, int]]) -> None:
    """In two passes, of 16 positions and of 9, with an idle row or more; one runs alone."""
    answers = Together().predict(wishes(forwards(), temperature))
    assert (3, 8) in passes
    assert (2, 2) in passes
    for got, want in zip(answers, alone(temperature), strict=True):
        assert_alike(got, want)


def test_whoever_meets_next_uses_the_same_pass(passes: list[tuple[int, int]]) -> None:
    """One graph for whichever slots: their caches' places are read anew."""
    made = forwards()
    together, want = Together(), alone()
    for pair in ([0, 3], [3, 1], [2, 4], [0, 3]):
        some = wishes(made)
        answers = together.predict([some[idx] for idx in pair])
        for got, idx in zip(answers, pair, strict=True):
            assert_alike(got, want[idx])
    shared = {key[:2] for key in made[0].graphs._decoders if key[0] > 1}
    assert shared == {(2, 16), (4, 16), (2, 9)}


def test_steps_go_on_together() -> None:
    """Three steps of two canvases, with the beliefs that the steps before left."""
    found: list[list[torch.Tensor]] = []
    for is_shared in (True, False):
        some = wishes(forwards())[:2]
        together, course = Together(), []
        for _ in range(3):
            answers = (
                together.predict(some)
                if is_shared
                else [forward.predict(*wanted) for forward, wanted in some]
            )
            for answer, (_, wanted) in zip(answers, some, strict=True):
                assert isinstance(answer, Prediction)
                wanted.canvas.soft_embeddings = answer.soft_embeddings
                course.append(answer.entropy)
        found.append(course)
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=TOLERANCE)


def test_a_cache_that_grows_moves_on(passes: list[tuple[int, int]]) -> None:
    """Its row is laid out in another way then: it runs alone, and nobody reads what it left."""
    made = forwards()
    together = Together()
    together.predict([wishes(made)[idx] for idx in (0, 3)])
    made[3].cache.expect([0] * 2000, 0)
    made[3].cache.truncate(24)
    passes.clear()
    answers = together.predict([wishes(made)[idx] for idx in (0, 3)])
    assert passes == [(1, 1), (1, 1)]
    for got, idx in zip(answers, (0, 3), strict=True):
        assert_alike(got, alone()[idx])


def test_many_rows_take_several_passes(passes: list[tuple[int, int]]) -> None:
    made = forwards([(4, 1, 16)] * 18)
    some = [
        (forward, wanted._replace(canvas=Canvas(ids, torch.zeros_like(ids, dtype=torch.bool))))
        for forward in made
        for wanted in [wishes(made[:1])[0][1]]
        for ids in [torch.full((1, 16), 40)]
    ]
    together = Together()
    together.prove(made[0])
    passes.clear()
    answers = together.predict(some)
    assert passes == [(16, 16), (2, 2)]
    assert not any(isinstance(answer, Exception) for answer in answers)


def test_one_that_cannot_be_begun_fails_alone() -> None:
    some = wishes(forwards())
    forward, wanted = some[0]
    some[0] = (forward, wanted._replace(temperature="warm"))  # pyright: ignore[reportArgumentType]
    answers = Together().predict(some)
    assert isinstance(answers[0], TypeError | ValueError)
    for got, want in zip(answers[1:], alone()[1:], strict=True):
        assert_alike(got, want)


def test_one_with_wrong_rules_fails_alone() -> None:
    some = wishes(forwards())
    forward, wanted = some[3]
    some[3] = (forward, wanted._replace(rules=TokenRules(banned=torch.tensor([10**6]))))
    answers = Together().predict(some)
    assert isinstance(answers[3], IndexError)
    for idx in (0, 1, 2, 4, 5):
        assert_alike(answers[idx], alone()[idx])


def test_one_that_breaks_the_pass_fails_alone() -> None:
    """A token outside the vocabulary fails in the embedding, which all canvases share."""
    some = wishes(forwards())
    some[3][1].canvas.current[0, 10] = VOCAB_SIZE
    answers = Together().predict(some)
    assert isinstance(answers[3], IndexError)
    for idx in (0, 1, 2, 4, 5):
        assert_alike(answers[idx], alone()[idx])


def test_the_trial_finds_a_pass_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_company_right(MODEL, torch.float32)
    right = row_caches.attend_own_caches

    def mixed_up(query: torch.Tensor, *others: object) -> torch.Tensor:
        return right(query, *others).roll(1, dims=0)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(row_caches, "attend_own_caches", mixed_up)
    assert not is_company_right(MODEL, torch.float32)
    together = Together()
    for got, want in zip(together.predict(wishes(forwards())), alone(), strict=True):
        assert_alike(got, want)
    assert together.shares_passes is False


def test_a_trial_without_memory_leaves_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = CapturedDecoder.__init__

    def has_room_for_one(self: CapturedDecoder, *arguments: Any) -> None:
        if arguments[2] > 3:
            raise torch.OutOfMemoryError
        begin(self, *arguments)

    monkeypatch.setattr(CapturedDecoder, "__init__", has_room_for_one)
    together = Together()
    for got, want in zip(together.predict(wishes(forwards())), alone(), strict=True):
        assert_alike(got, want)
    assert together.shares_passes is False


def test_warming_up_makes_the_passes_that_are_expected() -> None:
    forward = CapturedForward(MODEL, capacity_tokens=64)
    shares: list[float] = []
    shapes = [(1, 16), (3, 16), (1, 9)]
    forward.warm_up(shapes, lambda _what, share: shares.append(share), num_together=6)
    assert shares == sorted(shares)
    made = {(rows, length) for rows, length, _ in forward.graphs._decoders}
    assert made == {*shapes, *((rows, length) for rows in (2, 4, 8) for length in (16, 9))}
    assert set(forward.graphs._heads) == set(shapes)
