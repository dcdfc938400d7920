"""The one thread that touches the model: it loads it, then runs requests, several at once.

A failure to load is kept as a sentence, not raised: the process stays up and says so. A failure
of one request never ends the thread, nor another request. Knows nothing of HTTP.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from infill_engine.api import (
    EngineUnavailable,
    InfillEngine,
    InfillError,
    InfillResult,
    InfillUpdate,
    Mode,
    OutOfMemory,
)
from infill_engine.server.metrics import EngineMetrics
from infill_engine.server.request_queue import InfillJob, RequestQueue
from infill_engine.server.stream_batch import Batch, BatchingEngine, StreamBatch
from infill_engine.wire import HealthStatus

logger = logging.getLogger(__name__)

LoadProgress = Callable[[str, float], None]


class DescribedEngine(InfillEngine, Protocol):
    """An engine that can say what it is."""

    def describe(self) -> dict[str, Any]:
        """Return JSON-ready facts: model, device, dtype, number of parameters, ..."""
        ...


EngineLoader = Callable[[LoadProgress], DescribedEngine]
"""Loads an engine, reporting (what it does, share done from 0 to 1) on the way."""


@dataclass(frozen=True, slots=True)
class LoadState:
    """How far the model is; replaced as a whole, so readers in other threads need no lock."""

    status: HealthStatus = "loading"
    stage: str = "starting"
    fraction: float = 0.0
    why: str = ""
    code: str = ""
    details: dict[str, Any] | None = None


class EngineWorker:
    """Owns the engine and its thread."""

    def __init__(
        self, load_engine: EngineLoader, max_queued_requests: int, metrics: EngineMetrics
    ) -> None:
        self.load_state = LoadState()
        self._load_engine = load_engine
        self._metrics = metrics
        self._queue = RequestQueue(max_queued_requests)
        self._last_active_s = time.monotonic()
        self._batch: Batch | None = None
        # A daemon: an engine deep inside a kernel must not keep a dying process alive.
        self._thread = threading.Thread(target=self._run, name="engine-worker", daemon=True)
        metrics.watch("infill_queued_requests", "Requests waiting.", lambda: self.num_queued)
        metrics.watch("infill_running_requests", "Requests running.", lambda: self.num_running)

    @property
    def num_queued(self) -> int:
        """Requests waiting."""
        return len(self._queue)

    @property
    def num_running(self) -> int:
        """Requests being worked on."""
        return self._queue.num_running

    @property
    def num_slots_taken(self) -> int:
        """KV slots lent to requests; 0 before the model is loaded."""
        return 0 if self._batch is None else self._batch.num_slots_taken

    @property
    def idle_s(self) -> float:
        """Seconds since the last request ended or the loading did; 0 while there is work."""
        if self.load_state.status == "loading" or self.num_running or self.num_queued:
            return 0.0
        return time.monotonic() - self._last_active_s

    def start(self) -> None:
        """Begin to load in the background."""
        self._thread.start()

    def submit(self, job: InfillJob) -> None:
        """Queue a job; its events arrive through `job.deliver`.

        Raises:
            EngineUnavailable: the model is not loaded; the message says why.
            EngineBusy: too many requests wait.
        """
        state = self.load_state
        if state.status == "loading":
            raise EngineUnavailable(
                f"The model is still loading ({state.stage}, {state.fraction:.0%}). "
                "Try again in a moment."
            )
        if state.status == "failed":
            raise EngineUnavailable(f"The engine has no model: {state.why}")
        self._queue.submit(job)

    def abandon(self, job: InfillJob) -> None:
        """Stop working for a job: at once while it waits, else within a denoising step."""
        job.cancel.cancel()
        self._queue.drop(job)

    def close(self, timeout_s: float) -> None:
        """Cancel everything and wait for the thread, but no longer than `timeout_s`."""
        self._queue.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        engine = self._load()
        if engine is None:
            return
        batch = self._open_batch(engine)
        while not (self._queue.is_closed and batch.num_rows == 0):
            while batch.has_room and (job := self._queue.take(waits=batch.num_rows == 0)):
                self._begin(batch, job)
            batch.advance()
            self._queue.end_late()

    def _open_batch(self, engine: DescribedEngine) -> Batch:
        batch = (
            engine.open_batch(self._metrics.count_step)
            if isinstance(engine, BatchingEngine)
            else StreamBatch(engine)
        )
        self._metrics.watch(
            "infill_slots_in_use", "KV slots lent to requests.", lambda: batch.num_slots_taken
        )
        self._batch = batch
        return batch

    def _load(self) -> DescribedEngine | None:
        started_s = time.monotonic()
        try:
            engine = self._load_engine(self._note_progress)
            details = engine.describe()
        except Exception as error:
            known = _as_infill_error(error, "The model could not be loaded")
            logger.error("model not loaded: %s: %s", known.code, known)
            if not isinstance(error, InfillError):
                _log_frames(error)
            self._last_active_s = time.monotonic()
            self.load_state = LoadState("failed", why=str(known), code=known.code)
            return None
        load_s = time.monotonic() - started_s
        self._metrics.count_loaded(load_s)
        logger.info("model loaded in %.2f s", load_s)
        self._last_active_s = time.monotonic()
        self.load_state = LoadState("ready", "ready", 1.0, details=details)
        return engine

    def _note_progress(self, stage: str, fraction: float) -> None:
        self.load_state = LoadState("loading", stage, min(max(fraction, 0.0), 1.0))

    def _begin(self, batch: Batch, job: InfillJob) -> None:
        waited_ms = job.waited_ms
        if job.cancel.is_cancelled or job.is_late:
            self._queue.end(job)
            job.deliver_unstarted("cancelled" if job.cancel.is_cancelled else "deadline")
            return
        request = job.request
        if request.deadline_ms is not None:
            remaining_ms = max(1, request.deadline_ms - round(waited_ms))
            request = replace(request, deadline_ms=remaining_ms)

        def tell(event: InfillUpdate | InfillResult | Exception) -> None:
            if isinstance(event, InfillUpdate):
                job.deliver(event)
                return
            self._queue.end(job)
            self._last_active_s = time.monotonic()
            if isinstance(event, InfillResult):
                self._note_result(request.mode, event, waited_ms)
                job.deliver(event)
            else:
                job.deliver(self._note_failure(request.mode, event))

        batch.admit(request, job.cancel, tell)

    def _note_result(self, mode: Mode, result: InfillResult, waited_ms: float) -> None:
        self._metrics.count_result(mode, result, waited_ms / 1000)
        logger.info(
            "request done: mode=%s finish=%s steps=%d tokens=%d cached=%d prefilled=%d "
            "waited_ms=%.0f total_ms=%.0f",
            mode,
            result.finish_reason,
            result.num_steps,
            result.num_tokens,
            result.cached_tokens,
            result.prefilled_tokens,
            waited_ms,
            result.timings_ms.get("total", 0.0),
        )

    def _note_failure(self, mode: Mode, error: Exception) -> InfillError:
        known = _as_infill_error(error, "The engine failed on this request")
        self._metrics.count_error(mode, known.code)
        logger.error("request failed: mode=%s code=%s", mode, known.code)
        if not isinstance(error, InfillError):
            _log_frames(error)
        return known


def _as_infill_error(error: Exception, what: str) -> InfillError:
    if isinstance(error, InfillError):
        return error
    if isinstance(error, MemoryError):
        return OutOfMemory(f"{what}: the machine has too little memory.")
    if isinstance(error, ImportError) and error.name:
        return EngineUnavailable(
            f"{what}: the Python package {error.name!r} cannot be imported. Run `infill-ls doctor`."
        )
    # The text of a foreign exception may quote the user's code: only its type leaves.
    return InfillError(f"{what} ({type(error).__name__}); the engine's log says where.")


def _log_frames(error: Exception) -> None:
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s at\n%s", type(error).__name__, frames)
