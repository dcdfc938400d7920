"""Canvases side by side: each gets the bits it gets alone, and nobody fails for another."""

import pytest
import torch

from infill_engine.canvas import Canvas
from infill_engine.forward import EagerForward, Prediction, Wanted
from infill_engine.forward import together as together_module
from infill_engine.forward.side_by_side import PlacedCanvas, denoise_side_by_side
from infill_engine.forward.together import Together
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.random_source import SeededRandom
from infill_engine.token_rules import TokenRules
from tests.tiny_checkpoint import VOCAB_SIZE, tiny_int8_model, tiny_model

CPU = torch.device("cpu")
FLOATS = tiny_model()
# (prompt tokens, rows, positions): within and beyond the window of 24, anchored gaps, one token.
SHAPES = [(5, 1, 16), (60, 1, 5), (300, 3, 9), (24, 1, 1), (25, 2, 16)]


@pytest.fixture(scope="module")
def int8_model(tmp_path_factory: pytest.TempPathFactory) -> DiffusionGemma:
    return tiny_int8_model(tmp_path_factory.mktemp("int8"))


def wishes(model: DiffusionGemma, temperature: float = 1.0) -> list[tuple[EagerForward, Wanted]]:
    """Canvases of all shapes: some on their first step, some pinned in part, some with rules."""
    generator = torch.Generator().manual_seed(3)
    made: list[tuple[EagerForward, Wanted]] = []
    for idx, (num_prompt, num_rows, length) in enumerate(SHAPES):
        forward = EagerForward(model)
        prompt = torch.randint(10, VOCAB_SIZE, (num_prompt,), generator=generator).tolist()
        for begin in range(0, num_prompt, forward.prefill_chunk_tokens):
            forward.prefill(prompt[begin : begin + forward.prefill_chunk_tokens])
        ids = torch.randint(VOCAB_SIZE, (num_rows, length), generator=generator)
        canvas = Canvas(ids, torch.zeros_like(ids, dtype=torch.bool))
        if idx % 2:
            size = model.config.hidden_size
            canvas.soft_embeddings = torch.randn(*ids.shape, size, generator=generator)
            canvas.pin(torch.arange(length).expand_as(ids) < length // 3, ids)
        rules = TokenRules(banned=torch.arange(100 + idx)) if idx > 1 else None
        random = SeededRandom(idx, VOCAB_SIZE, CPU)
        made.append((forward, Wanted(canvas, temperature, random, rules)))
    return made


def alone(model: DiffusionGemma) -> list[Prediction]:
    return [forward.predict(*wanted) for forward, wanted in wishes(model)]


def same_bits(ours: Prediction | Exception, theirs: Prediction) -> bool:
    assert isinstance(ours, Prediction), ours
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_hidden_states_are_those_of_each_canvas_alone() -> None:
    placed = [
        PlacedCanvas(wanted.canvas.current, forward.cache, forward.signal(wanted.canvas))
        for forward, wanted in wishes(FLOATS)
    ]
    together = denoise_side_by_side(FLOATS, placed)
    for canvas, got in zip(placed, together, strict=True):
        want = FLOATS.denoise(canvas.token_ids, canvas.cache, canvas.signal)
        torch.testing.assert_close(got, want, atol=1e-4, rtol=0)


def test_first_steps_alone_need_no_signal() -> None:
    placed = [
        PlacedCanvas(wanted.canvas.current, forward.cache, None)
        for forward, wanted in wishes(FLOATS)
    ]
    with_zeros = [
        canvas._replace(signal=torch.zeros(*canvas.token_ids.shape, 32)) for canvas in placed
    ]
    for got, want in zip(
        denoise_side_by_side(FLOATS, placed), denoise_side_by_side(FLOATS, with_zeros), strict=True
    ):
        assert torch.equal(got, want)


def test_int8_rows_share_a_pass_and_keep_their_bits(int8_model: DiffusionGemma) -> None:
    together = Together()
    answers = together.predict(wishes(int8_model))
    assert all(map(same_bits, answers, alone(int8_model)))
    for pair in ([0, 2], [3, 1], [4, 2, 0]):
        some = wishes(int8_model)
        answers = together.predict([some[idx] for idx in pair])
        want = alone(int8_model)
        assert all(same_bits(answer, want[idx]) for idx, answer in zip(pair, answers, strict=True))


def test_float32_rows_run_in_turn_and_keep_their_bits() -> None:
    together = Together()
    assert all(map(same_bits, together.predict(wishes(FLOATS)), alone(FLOATS)))
    assert together.shares_passes is False


def test_a_lone_wish_proves_nothing() -> None:
    together = Together()
    assert same_bits(together.predict(wishes(FLOATS)[:1])[0], alone(FLOATS)[0])
    assert together.shares_passes is None


def test_a_trial_that_fails_leaves_turns(
    int8_model: DiffusionGemma, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(together_module, "denoise_side_by_side", fails)
    together = Together()
    assert all(map(same_bits, together.predict(wishes(int8_model)), alone(int8_model)))
    assert together.shares_passes is False


def test_one_that_cannot_be_read_off_fails_alone(int8_model: DiffusionGemma) -> None:
    some = wishes(int8_model)
    forward, wanted = some[1]
    some[1] = (forward, wanted._replace(rules=TokenRules(banned=torch.tensor([10**6]))))
    answers = Together().predict(some)
    assert isinstance(answers[1], IndexError)
    want = alone(int8_model)
    assert all(same_bits(answers[idx], want[idx]) for idx in (0, 2, 3, 4))


def test_one_that_breaks_the_pass_fails_alone(int8_model: DiffusionGemma) -> None:
    """A token outside the vocabulary fails in the embedding, which all canvases share."""
    some = wishes(int8_model)
    some[2][1].canvas.current[0, 0] = VOCAB_SIZE
    answers = Together().predict(some)
    assert isinstance(answers[2], IndexError)
    want = alone(int8_model)
    assert all(same_bits(answers[idx], want[idx]) for idx in (0, 1, 3, 4))
