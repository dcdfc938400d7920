"""Several requests on one engine: each gets what it gets alone, ends once, and leaves its slot."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infill_engine.api import (
    CancelToken,
    EngineBusy,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    Mode,
    OutOfMemory,
)
from infill_engine.batching.batch import EngineBatch
from infill_engine.batching.latency_guard import LatencyGuard
from infill_engine.confidence import Calibration
from infill_engine.config import EngineConfig
from infill_engine.draft_check import DraftCalibration
from infill_engine.engine import Engine
from infill_engine.forward.eager import EagerForward
from infill_engine.generation_config import GenerationConfig
from tests.tiny_checkpoint import END_OF_MIDDLE_ID, write_tiny_checkpoint

NUM_SLOTS = 4
PREFIX = "def total(numbers):\n    result = 0\n    for number in numbers:\n        res"
REQUEST = InfillRequest(PREFIX, "\n    return result\n", "python", "a.py", max_new_tokens=40)
# Lines and blocks, drafts from the file and none, long and empty sides, a rewrite, typing along.
REQUESTS: Sequence[InfillRequest] = (
    replace(REQUEST, mode="block"),
    replace(REQUEST, prefix=PREFIX + "ult", seed=1),
    InfillRequest("", "", mode="block", max_new_tokens=20, seed=2),
    InfillRequest("x = 1\n" * 300, "y = 2\n" * 50, mode="block", seed=3, max_new_tokens=24),
    replace(REQUEST, mode="rewrite", selection="old", instruction="new", seed=4),
    replace(REQUEST, draft="ult += number", seed=5),
)
NAMES: Sequence[tuple[str, Mode]] = (
    ("alpha", "line"),
    ("beta", "block"),
    ("gamma", "block"),
    ("delta", "line"),
)
# No two share more than their first few tokens, so that each is prefilled whole, in company as
# alone: in float32 the numbers of a prompt read in other pieces differ by rounding.
DISTINCT: Sequence[InfillRequest] = tuple(
    InfillRequest(
        f"{name} = {idx}\n" * 12, f"# {name}\n" * 8, name, f"{name}.x", mode=mode, seed=idx
    )
    for idx, (name, mode) in enumerate(NAMES)
)
CALIBRATED = {
    "acceptance_order": "leading",
    "noise": "mask",
    "t_min": 0.0,
    "t_max": 0.0,
    "calibration": Calibration(bias=4.0, slope=0.1),
    "drafting": DraftCalibration(bias=0.0, likelihood=0.3, strength=1.0, least=0.5),
}


class Recorder:
    """What one request is told."""

    def __init__(self) -> None:
        self.updates: list[InfillUpdate] = []
        self.ends: list[InfillResult | Exception] = []

    def __call__(self, event: InfillUpdate | InfillResult | Exception) -> None:
        assert not self.ends, "nothing comes behind the end"
        if isinstance(event, InfillUpdate):
            self.updates.append(event)
        else:
            self.ends.append(event)

    @property
    def result(self) -> InfillResult:
        (end,) = self.ends
        assert isinstance(end, InfillResult), end
        return end


@pytest.fixture(scope="module", params=["float32 uniform", "float32 mask", "int8 mask"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    dtype, noise = request.param.split()
    generation = GenerationConfig(
        max_denoising_steps=5,
        eos_token_ids=(1, END_OF_MIDDLE_ID),
        max_context_tokens=128,
        settle_entropy=2.0,
        settle_steps=1,
        line_canvas_tokens=9,
    )
    if noise == "mask":
        generation = replace(generation, **CALIBRATED)  # pyright: ignore[reportArgumentType]
    folder: Path = tmp_path_factory.mktemp("tiny")
    write_tiny_checkpoint(folder, generation=generation, quantize_int8=dtype == "int8")
    return load(folder, dtype)


def load(folder: Path, dtype: str) -> Engine:
    return Engine.load(
        EngineConfig(
            str(folder), dtype=dtype, num_threads=1, max_batch=NUM_SLOTS, kv_slots=NUM_SLOTS
        )
    )


class Permissive(LatencyGuard):
    """Lets everybody in: here company is tested, not whether it pays."""

    def admits(self, num_rows: int) -> bool:
        return num_rows < NUM_SLOTS


def open_batch(engine: Engine, steps: list[int] | None = None) -> EngineBatch:
    noted = [] if steps is None else steps
    return engine.open_batch(noted.append, Permissive(NUM_SLOTS))


def make_room(batch: EngineBatch) -> None:
    for _ in range(10_000):
        if batch.has_room:
            return
        batch.advance()
    raise AssertionError("nobody ever ends")


def run_to_end(batch: EngineBatch) -> None:
    for _ in range(10_000):
        if not batch.num_rows:
            return
        batch.advance()
    raise AssertionError("the batch never ends")


@pytest.fixture(autouse=True)
def no_prompts_left(engine: Engine) -> None:
    engine.forget_prompts()


def alone(engine: Engine, request: InfillRequest) -> tuple[list[InfillUpdate], InfillResult]:
    engine.forget_prompts()
    *updates, result = engine.stream(request)
    assert isinstance(result, InfillResult)
    return updates, result  # pyright: ignore[reportReturnType]


def text_and_course(updates: Sequence[InfillUpdate], result: InfillResult) -> object:
    told = [(update.text, update.settled_chars) for update in updates]
    return told, result.text, result.finish_reason, result.num_steps, result.num_canvases


def numbers(updates: Sequence[InfillUpdate], result: InfillResult) -> object:
    """All that is told, but for how long it took and what the KV cache held."""
    return updates, replace(result, timings_ms={}, cached_tokens=0, prefilled_tokens=0)


def assert_all_slots_are_free(engine: Engine) -> None:
    assert engine._slots.num_taken == 0
    assert engine._slots.num_free == NUM_SLOTS


arrivals = st.lists(
    st.tuples(st.integers(0, len(REQUESTS) - 1), st.integers(0, 3)), min_size=1, max_size=9
)


def arrive(
    engine: Engine, sequence: Sequence[tuple[InfillRequest, int]]
) -> list[tuple[InfillRequest, Recorder]]:
    """Run requests together; each comes so many rounds before the next."""
    batch = open_batch(engine)
    recorders: list[tuple[InfillRequest, Recorder]] = []
    for request, num_rounds in sequence:
        make_room(batch)
        recorders.append((request, Recorder()))
        batch.admit(request, None, recorders[-1][1])
        for _ in range(num_rounds):
            batch.advance()
    run_to_end(batch)
    assert_all_slots_are_free(engine)
    return recorders


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.permutations(DISTINCT), st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_each_gets_what_it_gets_alone(
    engine: Engine, requests: list[InfillRequest], num_rounds: list[int]
) -> None:
    """Whatever else runs, in whatever order they come: every update, to the last number."""
    engine.forget_prompts()
    for request, told in arrive(engine, list(zip(requests, num_rounds, strict=True))):
        updates, result = alone(engine, request)
        assert told.updates == updates
        assert replace(told.result, timings_ms={}) == replace(result, timings_ms={})


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(arrivals)
def test_and_whatever_the_slots_held_before(
    engine: Engine, sequence: list[tuple[int, int]]
) -> None:
    """Prompts that share much, on few slots: in int8 no number is another."""
    look_at = numbers if engine.describe()["dtype"] == "int8" else text_and_course
    for request, told in arrive(engine, [(REQUESTS[idx], rounds) for idx, rounds in sequence]):
        result = told.result
        assert look_at(told.updates, result) == look_at(*alone(engine, request))
        assert result.finish_reason in ("converged", "line_settled", "max_steps", "unsure")


def test_requests_share_steps(engine: Engine) -> None:
    steps: list[int] = []
    batch = open_batch(engine, steps)
    recorders = [Recorder() for _ in range(NUM_SLOTS)]
    for idx, recorder in enumerate(recorders):
        batch.admit(replace(REQUESTS[0], prefix="def f(x):\n", seed=idx), None, recorder)
    run_to_end(batch)
    assert max(steps) == NUM_SLOTS
    assert sum(steps) == sum(recorder.result.num_steps for recorder in recorders)
    assert len(steps) < sum(steps)


def test_a_cancelled_request_ends_within_a_step_and_frees_its_slot(engine: Engine) -> None:
    batch, cancel = open_batch(engine), CancelToken()
    cancelled, other = Recorder(), Recorder()
    batch.admit(REQUESTS[0], cancel, cancelled)
    batch.admit(replace(REQUESTS[0], seed=9), None, other)
    while not cancelled.updates:
        batch.advance()
    num_updates = len(cancelled.updates)
    cancel.cancel()
    batch.advance()
    assert cancelled.result.finish_reason == "cancelled"
    assert len(cancelled.updates) <= num_updates + 1
    assert batch.num_rows == engine._slots.num_taken <= 1
    run_to_end(batch)
    assert text_and_course(other.updates, other.result) == text_and_course(
        *alone(engine, replace(REQUESTS[0], seed=9))
    )


def test_newcomers_that_are_cancelled_do_not_wait_for_their_prefill(engine: Engine) -> None:
    batch = open_batch(engine)
    cancels = [CancelToken() for _ in range(3)]
    recorders = [Recorder() for _ in cancels]
    for cancel, recorder in zip(cancels, recorders, strict=True):
        batch.admit(REQUESTS[3], cancel, recorder)
        cancel.cancel()
    batch.advance()
    batch.advance()
    for recorder in recorders:
        assert (recorder.result.finish_reason, recorder.result.num_steps) == ("cancelled", 0)
        assert recorder.result.prefilled_tokens == 0
    assert_all_slots_are_free(engine)


def test_a_deadline_ends_one_and_no_other(engine: Engine) -> None:
    batch = open_batch(engine)
    hurried, patient = Recorder(), Recorder()
    batch.admit(replace(REQUESTS[3], deadline_ms=1), None, hurried)
    batch.admit(REQUESTS[1], None, patient)
    run_to_end(batch)
    assert hurried.result.finish_reason == "deadline"
    assert patient.result.text == alone(engine, REQUESTS[1])[1].text


@pytest.mark.parametrize("fails_in", ["prefill", "read_off"])
def test_a_request_that_runs_out_of_memory_spares_the_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, fails_in: str
) -> None:
    """The slot of the first request fails; the others never notice."""
    batch = open_batch(engine)
    failing, others = Recorder(), [Recorder(), Recorder()]
    batch.admit(REQUESTS[0], None, failing)
    (doomed,) = engine._slots._taken
    whole = getattr(EagerForward, fails_in)

    def fails_for_one(self: EagerForward, *arguments: object) -> object:
        if self is doomed:
            raise torch.OutOfMemoryError("x = 'hunter2'")
        return whole(self, *arguments)

    monkeypatch.setattr(EagerForward, fails_in, fails_for_one)
    for recorder, request in zip(others, REQUESTS[2:4], strict=True):
        batch.admit(request, None, recorder)
    run_to_end(batch)
    (error,) = failing.ends
    assert isinstance(error, OutOfMemory)
    assert "hunter2" not in str(error)
    monkeypatch.undo()
    assert_all_slots_are_free(engine)
    for recorder, request in zip(others, REQUESTS[2:4], strict=True):
        assert recorder.result.text == alone(engine, request)[1].text
    assert alone(engine, REQUESTS[0])[1].text, "the slot that failed serves again"


def test_one_too_many_is_told_so(engine: Engine) -> None:
    batch = open_batch(engine)
    for _ in range(NUM_SLOTS):
        batch.admit(REQUESTS[0], None, Recorder())
    assert not batch.has_room
    refused = Recorder()
    batch.admit(REQUESTS[1], None, refused)
    (error,) = refused.ends
    assert isinstance(error, EngineBusy)
    with pytest.raises(EngineBusy):
        engine.infill(REQUESTS[1])
    run_to_end(batch)
    assert_all_slots_are_free(engine)


def test_the_engine_can_be_asked_between_rounds(engine: Engine) -> None:
    batch, recorder = open_batch(engine), Recorder()
    want = alone(engine, REQUESTS[0])
    batch.admit(REQUESTS[0], None, recorder)
    while batch.num_rows:
        batch.advance()
        engine.infill(REQUESTS[2])
    assert text_and_course(recorder.updates, recorder.result) == text_and_course(*want)


def test_the_default_guard_finds_that_rows_in_turn_do_not_pay(engine: Engine) -> None:
    """And where a pass is shared, whatever it finds, everybody is served."""
    batch = engine.open_batch()
    recorders: list[Recorder] = []
    for idx in range(12):
        make_room(batch)
        recorders.append(Recorder())
        batch.admit(replace(REQUESTS[1], seed=idx), None, recorders[-1])
    run_to_end(batch)
    assert all(recorder.result for recorder in recorders)
