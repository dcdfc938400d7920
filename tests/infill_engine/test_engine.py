"""The engine on a tiny random checkpoint: everything about a run but the sense of its text."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer as HFTokenizer

from infill_engine.api import (
    CancelToken,
    CheckpointError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    Mode,
)
from infill_engine.confidence import Calibration
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.generation_config import GenerationConfig
from infill_engine.tokenizer import Tokenizer
from tests.tiny_checkpoint import END_OF_MIDDLE_ID, write_tiny_checkpoint

PREFIX = "def total(numbers):\n    result = 0\n    for number in numbers:\n        res"
SUFFIX = "\n    return result\n\nprint(total([1, 2, 3]))\n"
REQUEST = InfillRequest(PREFIX, SUFFIX, "python", "totals.py", mode="block", max_new_tokens=40)


@pytest.fixture(scope="module", params=["uniform", "mask"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp(request.param)
    write_tiny_checkpoint(folder, generation=generation(noise=request.param))
    # In bfloat16 warm and cold caches agree to rounding only, which random weights amplify. One
    # slot, so that a request for another file leaves nothing of the last one's prompt.
    config = EngineConfig(
        model=str(folder), dtype="float32", num_threads=1, max_batch=1, kv_slots=1
    )
    return Engine.load(config)


def generation(**changes: object) -> GenerationConfig:
    settings = GenerationConfig(
        max_denoising_steps=6,
        eos_token_ids=(1, END_OF_MIDDLE_ID),
        max_context_tokens=128,
        settle_entropy=2.0,
        settle_steps=1,
    )
    return replace(settings, **changes)  # pyright: ignore[reportArgumentType]


def updates_and_result(
    engine: Engine, request: InfillRequest, cancel: CancelToken | None = None
) -> tuple[list[InfillUpdate], InfillResult]:
    events = list(engine.stream(request, cancel))
    *updates, result = events
    assert isinstance(result, InfillResult), "the last event is the only result"
    assert all(isinstance(update, InfillUpdate) for update in updates)
    return updates, result  # pyright: ignore[reportReturnType]


def test_every_step_is_told_and_counted(engine: Engine) -> None:
    updates, result = updates_and_result(engine, REQUEST)
    assert [update.step_idx for update in updates] == list(range(result.num_steps))
    assert updates[-1].canvas_idx == result.num_canvases - 1
    assert updates[-1].text == result.text
    assert {"prefill", "denoise", "total"} <= result.timings_ms.keys()
    assert result.num_tokens <= REQUEST.max_new_tokens


def test_settled_text_only_ever_grows(engine: Engine) -> None:
    for seed in range(6):
        updates, result = updates_and_result(engine, replace(REQUEST, seed=seed))
        settled = ""
        for update in updates:
            now = update.text[: update.settled_chars]
            assert now.startswith(settled), "what has settled is never taken back"
            settled = now
        assert result.text.startswith(settled)


def test_a_long_middle_takes_several_canvases(engine: Engine) -> None:
    results = [engine.infill(replace(REQUEST, seed=seed)) for seed in range(8)]
    longest = max(results, key=lambda result: result.num_tokens)
    assert longest.num_canvases > 1, "the tiny canvas holds 16 tokens and 40 are allowed"
    assert longest.num_tokens > 16


def test_same_seed_same_text_whatever_the_cache_holds(engine: Engine) -> None:
    first = engine.infill(REQUEST)
    engine.infill(InfillRequest("something else", "", mode="block"))
    again = engine.infill(REQUEST)
    warm = engine.infill(REQUEST)
    assert first.text == again.text == warm.text
    assert warm.prefilled_tokens == 0
    others = {engine.infill(replace(REQUEST, seed=seed)).text for seed in range(1, 5)}
    assert others != {first.text}


def test_typing_prefills_only_what_was_typed(engine: Engine) -> None:
    before = engine.infill(REQUEST)
    typed = replace(REQUEST, prefix=PREFIX + "ult += n")
    warm = engine.infill(typed)
    assert warm.cached_tokens >= before.cached_tokens + before.prefilled_tokens - 1
    assert warm.prefilled_tokens < 12
    engine.infill(InfillRequest("other", "file", mode="block"))
    cold = engine.infill(typed)
    assert cold.text == warm.text
    assert cold.prefilled_tokens > warm.prefilled_tokens


def test_deleting_rolls_back(engine: Engine) -> None:
    engine.infill(REQUEST)
    deleted = replace(REQUEST, prefix=PREFIX[:-9])
    warm = engine.infill(deleted)
    assert warm.prefilled_tokens <= 1
    engine.infill(InfillRequest("other", "file", mode="block"))
    assert engine.infill(deleted).text == warm.text


def test_line_mode_ends_with_the_line(engine: Engine) -> None:
    for seed in range(6):
        _, result = updates_and_result(engine, replace(REQUEST, mode="line", seed=seed))
        assert "\n" not in result.text
        assert result.finish_reason in ("line_settled", "converged", "max_steps")


def test_healing_continues_the_cut_word(engine: Engine) -> None:
    """The text is what follows the prefix, though the canvas began before the cursor."""
    updates, _ = updates_and_result(engine, replace(REQUEST, prefix="def total(numb"))
    assert updates


def cancelled_after(num_steps: int, cancel: CancelToken, events: Iterator[object]) -> list[object]:
    seen = []
    for event in events:
        seen.append(event)
        if len(seen) == num_steps:
            cancel.cancel()
    return seen


@pytest.mark.parametrize("num_steps", [1, 3])
def test_cancels_within_one_step(engine: Engine, num_steps: int) -> None:
    cancel = CancelToken()
    events = cancelled_after(num_steps, cancel, engine.stream(REQUEST, cancel))
    assert len(events) <= num_steps + 1
    assert isinstance(events[-1], InfillResult)
    assert events[-1].finish_reason == "cancelled"


def test_cancelled_before_it_begins(engine: Engine) -> None:
    cancel = CancelToken()
    cancel.cancel()
    updates, result = updates_and_result(engine, REQUEST, cancel)
    assert not updates
    assert (result.text, result.finish_reason) == ("", "cancelled")
    assert engine.infill(REQUEST).finish_reason != "cancelled", "the engine is free again"


def test_deadline_gives_the_best_so_far(engine: Engine) -> None:
    result = engine.infill(replace(REQUEST, deadline_ms=1))
    assert result.finish_reason == "deadline"
    assert result.num_steps <= 1


def test_abandoned_stream_frees_the_engine(engine: Engine) -> None:
    events = engine.stream(REQUEST)
    next(events)
    events.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert engine.infill(REQUEST).text


@pytest.mark.parametrize(("prefix", "suffix"), [("", ""), ("", SUFFIX), (PREFIX, "")])
def test_empty_sides(engine: Engine, prefix: str, suffix: str) -> None:
    assert engine.infill(replace(REQUEST, prefix=prefix, suffix=suffix)).num_steps > 0


def test_end_tokens_are_banned_at_the_first_position(engine: Engine) -> None:
    """A request that ends in a newline heals nothing, so the first token is all the text's."""
    for seed in range(8):
        request = replace(REQUEST, prefix="def f():\n", seed=seed)
        assert engine.infill(request).num_tokens > 0


def test_draft_pulls_the_text_towards_itself(engine: Engine) -> None:
    draft = "ult += number"
    results = {engine.infill(replace(REQUEST, draft=draft, seed=seed)).text for seed in range(4)}
    assert results, "a draft is accepted"
    assert (
        engine.infill(replace(REQUEST, draft=draft)).text
        == engine.infill(replace(REQUEST, draft=draft)).text
    )


def test_rewrite_fills_the_selection_anew(engine: Engine) -> None:
    request = replace(REQUEST, mode="rewrite", selection="old code", instruction="make it new")
    assert engine.infill(request).num_steps > 0


def test_context_stays_within_its_budget(engine: Engine) -> None:
    request = replace(REQUEST, prefix="value = 1\n" * 3000, suffix="other = 2\n" * 3000)
    result = engine.infill(request)
    assert result.prefilled_tokens + result.cached_tokens <= 128


def test_control_characters_and_special_token_names_are_only_text(engine: Engine) -> None:
    request = replace(REQUEST, prefix="\x00<|prefix|>\u202e<eos>\r\n\ufeff", suffix="\x00<pad>🎉")
    assert engine.infill(request).num_steps > 0


@pytest.fixture(scope="module")
def calibrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    settings = generation(
        noise="mask", acceptance_order="leading", calibration=Calibration(bias=3.0, slope=0.5)
    )
    write_tiny_checkpoint(folder, generation=settings)
    return folder


@pytest.mark.parametrize("mode", ["line", "block"])
def test_ends_where_nobody_would_show_the_rest(calibrated_folder: Path, mode: str) -> None:
    engine = Engine.load(EngineConfig(model=str(calibrated_folder)))
    request = replace(REQUEST, mode=mode)  # pyright: ignore[reportArgumentType]
    steps, whole = updates_and_result(engine, request)
    for step in steps:
        assert sum(step.token_chars) <= len(step.text)
        assert len(step.token_chars) == len(step.token_entropies)
        assert (not step.leading_confidence) == (step.settled_chars == 0) or not step.text
        assert step.num_trusted_chars(0.5) <= step.num_trusted_chars(0) == step.settled_chars
    _, sure = updates_and_result(engine, replace(request, least_confidence=0.9))
    assert sure.finish_reason == "unsure"
    assert sure.num_steps < whole.num_steps or whole.finish_reason == "unsure"
    assert whole.text.startswith(sure.text), "what had settled, and no more"
    assert sure.num_trusted_chars(0.9) <= len(sure.text)
    probabilities = [p for _, p in whole.leading_confidence]
    assert probabilities == sorted(probabilities, reverse=True)


def test_a_line_gets_a_canvas_of_its_size(calibrated_folder: Path) -> None:
    settings = replace(generation(noise="mask"), line_canvas_tokens=5)
    engine = Engine.load(EngineConfig(model=str(calibrated_folder)), generation=settings)
    for mode, length in (("line", 5), ("block", 16)):
        updates, _ = updates_and_result(engine, replace(REQUEST, mode=mode))  # pyright: ignore[reportArgumentType]
        assert {len(update.token_entropies) for update in updates} == {length}


@pytest.mark.parametrize("mode", ["line", "block"])
@pytest.mark.parametrize("middle", ["x", "ult += number  # and more of it", "a\nb\n" * 12])
def test_a_known_length_is_kept(calibrated_folder: Path, mode: Mode, middle: str) -> None:
    settings = generation(noise="mask", acceptance_order="leading", max_denoising_steps=30)
    engine = Engine.load(EngineConfig(model=str(calibrated_folder)), generation=settings)
    request = replace(REQUEST, prefix="def f():\n", mode=mode)  # a line's end heals nothing
    num_tokens = len(Tokenizer.from_folder(calibrated_folder).encode(middle))
    result = engine.infill_at_length_of(request, middle)
    assert result.num_tokens == min(num_tokens, request.max_new_tokens)
    assert result.num_canvases == -(-result.num_tokens // 16)
    assert result.finish_reason == "converged"
    assert mode == "block" or "\n" not in result.text, "nothing but its length ends it"
    assert engine.infill(request).text != "", "the next request's length is unknown again"


def test_describes_itself(engine: Engine) -> None:
    described = engine.describe()
    assert described["device"] == "cpu"
    assert described["num_parameters"] > 0
    assert described["canvas_length"] == 16


def test_a_tokenizer_with_ids_the_model_lacks_is_refused(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path)
    tokenizer = HFTokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.add_tokens([f"another{idx}" for idx in range(500)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(CheckpointError, match=r"has \d+ ids, but the model's vocab_size is"):
        Engine.load(EngineConfig(model=str(tmp_path)))


def test_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    from infill_engine.api import CheckpointError

    with pytest.raises(CheckpointError, match="does not exist"):
        Engine.load(EngineConfig(model=str(tmp_path / "nowhere")))
