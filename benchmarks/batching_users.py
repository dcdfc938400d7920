"""Users of one engine who type at once, and the ways an engine can serve them.

Users call the engine's worker as the HTTP server does, with no HTTP between. Knows nothing of
tables.
"""

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.typing_sessions import TypingSession, typed_lengths
from infill_engine.api import (
    CancelToken,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    Mode,
)
from infill_engine.batching.batch import EngineBatch
from infill_engine.batching.latency_guard import LatencyGuard
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.server.engine_worker import EngineWorker
from infill_engine.server.metrics import EngineMetrics
from infill_engine.server.request_queue import InfillJob, JobEvent

_BLOCK_EVERY = 4
_BLOCK_MAX_TOKENS = 64
_WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and the document it is for."""

    request: InfillRequest
    document_id: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A result, and how long it took from the asking."""

    result: InfillResult
    took_ms: float
    mode: Mode


@dataclass(frozen=True, slots=True)
class Played:
    """What users got, each user's answers in order, how long all of it took, and in which steps."""

    answers: list[list[Answered]]
    took_s: float
    num_steps: int
    num_rows: int


def asked_of(session: TypingSession, num_requests: int, seed: int) -> list[Asked]:
    """What one user asks: a line, again some characters later, and now and then a block."""
    lengths = [0, *typed_lengths(num_requests - 1, random.Random(f"{seed} {session.path}"))]
    asked: list[Asked] = []
    for idx, num_chars in enumerate(lengths):
        request = session.request(num_chars, seed)
        if idx % _BLOCK_EVERY == _BLOCK_EVERY - 1:
            request = replace(request, mode="block", max_new_tokens=_BLOCK_MAX_TOKENS)
        asked.append(Asked(request, f"{session.path} {session.path}"))
    return asked


class _Served:
    """An engine with the number of rows that its batches may have, and a count of their steps."""

    def __init__(self, engine: Engine, max_rows: int) -> None:
        self._engine, self._max_rows = engine, max_rows
        self.num_steps = self.num_rows = 0

    def describe(self) -> dict[str, Any]:
        """See `DescribedEngine`."""
        return self._engine.describe()

    def open_batch(self, on_step: Callable[[int], None]) -> EngineBatch:
        """See `BatchingEngine`."""

        def count(num_rows: int) -> None:
            self.num_steps += 1
            self.num_rows += num_rows
            on_step(num_rows)

        return self._engine.open_batch(count, LatencyGuard(self._max_rows))

    def infill(self, request: InfillRequest, cancel: CancelToken | None = None) -> InfillResult:
        """See `InfillEngine`."""
        return self._engine.infill(request, cancel)

    def stream(self, request: InfillRequest, cancel: CancelToken | None = None) -> Any:
        """See `InfillEngine`."""
        return self._engine.stream(request, cancel)


class Ways:
    """Engines of one model: with one slot, and with several, used by one request or by several."""

    def __init__(self, config: EngineConfig, max_batch: int) -> None:
        self._one_slot = Engine.load(replace(config, max_batch=1, kv_slots=1))
        several = Engine.load(replace(config, max_batch=max_batch))
        self.dtype = several.describe()["dtype"]
        self._ways = {
            "in turn, 1 slot": (self._one_slot, 1),
            "in turn": (several, 1),
            f"batch of {max_batch}": (several, max_batch),
        }

    @property
    def names(self) -> list[str]:
        """Of the ways."""
        return list(self._ways)

    def open(self, name: str) -> "_Served":
        """An engine to ask that way, which has seen nothing yet."""
        engine, max_rows = self._ways[name]
        engine.forget_prompts()
        return _Served(engine, max_rows)

    def alone(self, asked: Sequence[Sequence[Asked]]) -> list[list[InfillResult]]:
        """What an engine answers that serves nobody else, user by user."""
        return [[self._one_slot.infill(one.request) for one in user] for user in asked]


def play_together(served: _Served, asked: Sequence[Sequence[Asked]]) -> Played:
    """Let all users ask at once, each its next request as soon as the last is answered."""
    worker = EngineWorker(lambda _progress: served, len(asked) + 1, EngineMetrics())
    worker.start()
    while worker.load_state.status == "loading":
        time.sleep(0.01)
    answers: list[list[Answered]] = [[] for _ in asked]

    def ask_all(user: Sequence[Asked], into: list[Answered]) -> None:
        for one in user:
            into.append(_ask(worker, one))

    threads = [
        threading.Thread(target=ask_all, args=(user, into))
        for user, into in zip(asked, answers, strict=True)
    ]
    begin_s = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - begin_s
    worker.close(_WAIT_S)
    return Played(answers, took_s, served.num_steps, served.num_rows)


def _ask(worker: EngineWorker, asked: Asked) -> Answered:
    events: queue.Queue[JobEvent] = queue.Queue()
    begin_s = time.perf_counter()
    worker.submit(InfillJob(asked.request, asked.document_id, events.put))
    while isinstance(event := events.get(timeout=_WAIT_S), InfillUpdate):
        pass
    if isinstance(event, InfillError):
        raise event
    took_ms = (time.perf_counter() - begin_s) * 1000.0
    return Answered(event, took_ms, asked.request.mode)
