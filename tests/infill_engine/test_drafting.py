"""Drafts in the engine: taken over as far as they are likely, and leaving no other trace."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infill_engine.api import InfillRequest, InfillResult, InfillUpdate
from infill_engine.confidence import Calibration
from infill_engine.config import EngineConfig
from infill_engine.draft_check import DraftCalibration
from infill_engine.engine import Engine
from infill_engine.generation_config import GenerationConfig
from infill_engine.tokenizer import Tokenizer
from tests.tiny_checkpoint import END_OF_MIDDLE_ID, write_tiny_checkpoint

PREFIX = "def total(numbers):\n    return sum(numbers)\n\n\ndef mean(numbers):\n    return su"
REQUEST = InfillRequest(PREFIX, "\n", "python", "a.py", mode="line", max_new_tokens=24)
GENERATION = GenerationConfig(
    max_denoising_steps=4,
    eos_token_ids=(1, END_OF_MIDDLE_ID),
    max_context_tokens=128,
    acceptance_order="leading",
    noise="mask",
    t_min=0.0,
    t_max=0.0,
    calibration=Calibration(bias=2.0, slope=0.5),
)
ALWAYS = DraftCalibration(bias=50.0, likelihood=0.0, strength=0.0, least=0.5)
NEVER = replace(ALWAYS, bias=-50.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drafting")
    write_tiny_checkpoint(folder, generation=GENERATION)
    return folder


def load(folder: Path, drafting: DraftCalibration | None) -> Engine:
    config = EngineConfig(
        model=str(folder), dtype="float32", num_threads=1, max_batch=1, kv_slots=1
    )
    return Engine.load(config, generation=replace(GENERATION, drafting=drafting))


@pytest.fixture(scope="module")
def trusting(folder: Path) -> Iterator[Engine]:
    return load(folder, ALWAYS)


def test_a_line_that_stood_there_before_needs_no_denoising(trusting: Engine) -> None:
    result = trusting.infill(REQUEST)
    assert (result.text, result.finish_reason) == ("m(numbers)", "converged")
    assert (result.num_steps, result.num_canvases) == (0, 1)
    assert result.leading_confidence[-1][0] == len(result.text)
    assert result.drafted_tokens == result.num_tokens
    assert result.timings_ms["draft"] > 0


def test_a_block_goes_on_behind_the_drafted_line(trusting: Engine) -> None:
    events = list(trusting.stream(replace(REQUEST, mode="block")))
    assert all(
        event.text.startswith("m(numbers)") and event.settled_chars >= len("m(numbers)")
        for event in events
        if isinstance(event, InfillUpdate)
    )
    result = events[-1]
    assert isinstance(result, InfillResult)
    assert result.num_steps > 0


@pytest.mark.parametrize("mode", ["line", "block"])
def test_an_unlikely_draft_leaves_no_trace(folder: Path, mode: str) -> None:
    request = replace(REQUEST, mode=mode)  # pyright: ignore[reportArgumentType]
    with_drafts, without = load(folder, NEVER), load(folder, None)
    for _ in range(2):
        ours, theirs = with_drafts.infill(request), without.infill(request)
        assert ours.text == theirs.text
        assert ours.num_steps == theirs.num_steps
        assert ours.prefilled_tokens == theirs.prefilled_tokens
        assert ours.leading_confidence == theirs.leading_confidence


def test_tokens_are_taken_up_to_the_first_unlikely_one(folder: Path) -> None:
    judged = load(folder, None).judge_context_draft(REQUEST)
    assert judged is not None
    log_probabilities = [token.log_probability for token in judged.tokens]
    worst = min(range(1, len(log_probabilities)), key=log_probabilities.__getitem__)
    assert min(log_probabilities[:worst]) > log_probabilities[worst], "random weights"
    middle = (log_probabilities[worst] + min(log_probabilities[:worst])) / 2
    strict = DraftCalibration(bias=-100 * middle, likelihood=100.0, strength=0.0, least=0.5)
    result = load(folder, strict).infill(REQUEST)
    assert result.num_steps > 0
    taken = [token.token_id for token in judged.tokens[:worst]]
    spelled = Tokenizer.from_folder(folder).decode(taken).removeprefix(judged.healed)
    assert result.text.startswith(spelled)


def test_the_same_text_whatever_the_cache_holds(trusting: Engine) -> None:
    first = trusting.infill(REQUEST)
    trusting.infill(InfillRequest("something else", "", mode="block"))
    typed = trusting.infill(replace(REQUEST, prefix=PREFIX + "m(num"))
    assert typed.text == "bers)"
    assert trusting.infill(REQUEST).text == first.text


@pytest.mark.parametrize(
    "changes",
    [
        {"prefix": "", "suffix": ""},
        {"prefix": PREFIX, "max_new_tokens": 1},
        {"mode": "rewrite", "selection": "sum"},
        {"draft": "len(numbers)"},
        {"prefix": "aaaa\naaaa\naaaa"},
    ],
)
def test_odd_requests(trusting: Engine, changes: dict[str, object]) -> None:
    request = replace(REQUEST, **changes)  # pyright: ignore[reportArgumentType]
    result = trusting.infill(request)
    assert result.num_tokens <= request.max_new_tokens
