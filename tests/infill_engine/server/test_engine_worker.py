"""The worker with a real, tiny engine: each is answered once, come what may; nothing leaks."""

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infill_engine.api import (
    EngineBusy,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    OutOfMemory,
)
from infill_engine.batching.latency_guard import LatencyGuard
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.forward.eager import EagerForward
from infill_engine.generation_config import GenerationConfig
from infill_engine.server.engine_worker import EngineWorker
from infill_engine.server.metrics import EngineMetrics
from infill_engine.server.request_queue import InfillJob, JobEvent
from tests.tiny_checkpoint import write_tiny_checkpoint

WAIT_S = 120.0
MAX_QUEUED = 5
MAX_BATCH = 3
GENERATION = GenerationConfig(
    max_denoising_steps=12, eos_token_ids=(1,), max_context_tokens=96, confidence_threshold=1e-6
)
REQUEST = InfillRequest("def f(x):\n", "\n", mode="block", max_new_tokens=32)
LONG = replace(REQUEST, max_new_tokens=1024)


class Permissive(LatencyGuard):
    """Lets everybody in, however busy the machine: here it is not asked whether company pays."""

    def admits(self, num_rows: int) -> bool:
        return num_rows < MAX_BATCH


@dataclass
class Asked:
    """A job and all it is told.

    One that holds keeps the worker's thread at its first update until released or cancelled, so
    that what comes meanwhile does come while it runs, on however slow a machine.
    """

    request: InfillRequest
    document_id: str = ""
    holds: bool = False
    events: "queue.Queue[JobEvent]" = field(default_factory=queue.Queue)
    told: list[JobEvent] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    job: InfillJob = field(init=False)

    def __post_init__(self) -> None:
        self.job = InfillJob(self.request, self.document_id, self.deliver)

    def deliver(self, event: JobEvent) -> None:
        self.events.put(event)
        if self.holds and isinstance(event, InfillUpdate):
            while not self.job.cancel.is_cancelled and not self.release.wait(0.01):
                pass

    def wait(self) -> JobEvent:
        """The end, which comes in time, and behind which nothing came."""
        while not self.told or isinstance(self.told[-1], InfillUpdate):
            self.told.append(self.events.get(timeout=WAIT_S))
        assert self.events.empty()
        return self.told[-1]

    def wait_for_update(self) -> None:
        self.told.append(self.events.get(timeout=WAIT_S))
        assert isinstance(self.told[-1], InfillUpdate)

    @property
    def reason(self) -> str:
        end = self.wait()
        return end.finish_reason if isinstance(end, InfillResult) else type(end).__name__


@dataclass
class Serving:
    worker: EngineWorker
    engine: Engine
    metrics: EngineMetrics

    def ask(self, request: InfillRequest, document_id: str = "", holds: bool = False) -> Asked:
        asked = Asked(request, document_id, holds)
        self.worker.submit(asked.job)
        return asked

    def hold(self, num_requests: int) -> list[Asked]:
        """Requests that all run; the worker's thread is held at the last one's first update."""
        held: list[Asked] = []
        for idx in range(num_requests):
            held.append(self.ask(LONG, f"ana {idx}", holds=True))
            if idx:
                held[idx - 1].release.set()
            held[idx].wait_for_update()
        return held

    def abandon(self, held: list[Asked]) -> None:
        for asked in held:
            self.worker.abandon(asked.job)
        assert {asked.reason for asked in held} == {"cancelled"}

    def assert_nothing_is_left(self) -> None:
        """A last request goes all the way; then nothing runs, waits or holds a slot."""
        assert self.ask(REQUEST).reason in ("converged", "max_steps")
        assert (self.worker.num_running, self.worker.num_queued) == (0, 0)
        assert self.engine._slots.num_taken == 0


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder: Path = tmp_path_factory.mktemp("tiny")
    write_tiny_checkpoint(folder, generation=GENERATION, quantize_int8=True)
    return Engine.load(EngineConfig(str(folder), dtype="int8", num_threads=1, max_batch=MAX_BATCH))


@pytest.fixture(scope="module")
def serving(engine: Engine) -> Iterator[Serving]:
    metrics = EngineMetrics()
    loaded = threading.Event()

    class Loaded:
        """Tells when the worker has the engine."""

        def describe(self) -> dict[str, Any]:
            return engine.describe()

        infill, stream = engine.infill, engine.stream

        def open_batch(self, on_step: Any) -> Any:
            loaded.set()
            return engine.open_batch(on_step, Permissive(MAX_BATCH))

    worker = EngineWorker(lambda _progress: Loaded(), MAX_QUEUED, metrics)
    worker.start()
    assert loaded.wait(WAIT_S)
    yield Serving(worker, engine, metrics)
    worker.close(WAIT_S)
    assert not worker._thread.is_alive()


def test_several_run_at_once(serving: Serving) -> None:
    held = serving.hold(2)
    assert serving.worker.num_running == 2
    assert serving.worker.idle_s == 0
    assert "infill_slots_in_use 2.0" in serving.metrics.render().decode()
    serving.abandon(held)
    serving.assert_nothing_is_left()
    text = serving.metrics.render().decode()
    assert "infill_rows_per_step_bucket" in text
    assert "infill_cache_hit_ratio" in text
    assert 0 < serving.metrics.cache_hit_ratio < 1


def test_a_newer_request_of_a_document_ends_the_older(serving: Serving) -> None:
    (older,) = serving.hold(1)
    newer = serving.ask(REQUEST, "ana 0")
    assert older.reason == "cancelled"
    result = newer.wait()
    assert isinstance(result, InfillResult)
    assert result.finish_reason in ("converged", "max_steps")
    assert result.cached_tokens > 0, "it runs where the older one left the prompt"
    serving.assert_nothing_is_left()


def test_a_deadline_counts_from_the_arrival(serving: Serving) -> None:
    held = serving.hold(MAX_BATCH)
    hurried = serving.ask(replace(REQUEST, deadline_ms=1), "bo 1")
    while not hurried.job.is_late:
        time.sleep(0.001)
    held[-1].release.set()
    assert hurried.reason == "deadline"
    for asked in held:
        serving.worker.abandon(asked.job)
        asked.wait()
    serving.assert_nothing_is_left()


def test_one_that_fails_spares_the_others(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    (other,) = serving.hold(1)
    whole = EagerForward.prefill

    def fails_for_long_prompts(self: EagerForward, token_ids: list[int]) -> object:
        if len(token_ids) > 40:
            raise MemoryError("secret = 'hunter2'")
        return whole(self, token_ids)

    monkeypatch.setattr(EagerForward, "prefill", fails_for_long_prompts)
    failing = serving.ask(replace(REQUEST, prefix="value = 1\n" * 40), "bo 1")
    other.release.set()
    error = failing.wait()
    assert isinstance(error, OutOfMemory)
    assert "hunter2" not in str(error)
    monkeypatch.undo()
    serving.worker.abandon(other.job)
    assert isinstance(other.wait(), InfillResult)
    serving.assert_nothing_is_left()


actions = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(["", "ana 1", "ana 2", "bo 1"]), st.booleans()),
        st.tuples(st.just("hurry"), st.sampled_from(["", "cy 1"]), st.integers(1, 30)),
        st.tuples(st.just("abandon"), st.integers(0, 20), st.none()),
        st.tuples(st.just("wait"), st.integers(0, 20), st.none()),
    ),
    max_size=20,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(actions)
def test_each_is_answered_once_whatever_happens(
    serving: Serving, sequence: list[tuple[str, Any, Any]]
) -> None:
    asked: list[Asked] = []
    abandoned: list[Asked] = []
    for action, subject, detail in sequence:
        if action == "ask" or action == "hurry":
            request = replace(REQUEST, seed=len(asked))
            if action == "hurry":
                request = replace(request, deadline_ms=detail)
            elif detail:
                request = replace(request, max_new_tokens=120)
            try:
                asked.append(serving.ask(request, subject))
            except EngineBusy:
                continue
        elif asked and subject < len(asked):
            if action == "abandon":
                abandoned.append(asked[subject])
                serving.worker.abandon(asked[subject].job)
            elif asked[subject] not in abandoned:
                asked[subject].wait()
    for one in asked:
        if one not in abandoned:
            end = one.wait()
            assert isinstance(end, InfillResult | EngineBusy)
    serving.assert_nothing_is_left()
    for one in asked:  # also those that nobody waits for: never twice
        while not one.events.empty():
            one.told.append(one.events.get())
        num_ends = sum(isinstance(event, InfillResult | InfillError) for event in one.told)
        assert num_ends == 1 or (num_ends == 0 and one in abandoned)


def test_closing_ends_all_that_runs_and_waits(engine: Engine) -> None:
    worker = EngineWorker(lambda _progress: engine, MAX_QUEUED, EngineMetrics())
    worker.start()
    while worker.load_state.status == "loading":
        time.sleep(0.01)
    asked = [Asked(LONG, f"ana {idx}", holds=True) for idx in range(MAX_QUEUED)]
    for one in asked:
        worker.submit(one.job)
    asked[0].wait_for_update()
    worker.close(WAIT_S)
    assert {one.reason for one in asked} == {"cancelled"}
    assert engine._slots.num_taken == 0
