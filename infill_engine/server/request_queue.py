"""Requests waiting for the one thread that runs the engine.

First come, first served, bounded, and at most one waiting request per document: a newer one of
the same document takes the older one's place, since the editor no longer wants that answer.
Knows nothing of HTTP or of the engine.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from infill_engine.api import (
    CancelToken,
    EngineBusy,
    EngineUnavailable,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
)

JobEvent = InfillUpdate | InfillResult | InfillError


@dataclass(eq=False, slots=True)
class InfillJob:
    """A request on its way through the engine.

    Attributes:
        request: what to fill.
        document_id: who asks, and for which document; empty supersedes nothing.
        deliver: called from any thread with every event; the last is a result or an error.
        cancel: set when nobody waits for the answer any more.
        submitted_s: monotonic time at which the job was made.
    """

    request: InfillRequest
    document_id: str
    deliver: Callable[[JobEvent], None]
    cancel: CancelToken = field(default_factory=CancelToken)
    submitted_s: float = field(default_factory=time.monotonic)

    def deliver_cancelled(self) -> None:
        """End a job that was never started."""
        self.deliver(
            InfillResult(
                text="",
                finish_reason="cancelled",
                num_steps=0,
                num_canvases=0,
                num_tokens=0,
                cached_tokens=0,
                prefilled_tokens=0,
                mean_entropy=0.0,
                timings_ms={"total": (time.monotonic() - self.submitted_s) * 1000},
            )
        )


class RequestQueue:
    """Bounded queue of jobs; safe to use from any thread."""

    def __init__(self, max_queued: int) -> None:
        self._max_queued = max_queued
        self._jobs: deque[InfillJob] = deque()
        self._changed = threading.Condition()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._jobs)

    def submit(self, job: InfillJob) -> None:
        """Append a job; an older waiting job of the same document ends as cancelled.

        Raises:
            EngineBusy: as many jobs as allowed are waiting already.
            EngineUnavailable: the queue is closed.
        """
        with self._changed:
            if self._is_closed:
                raise EngineUnavailable("The engine is ending; ask again to start another.")
            older = self._find_document(job.document_id)
            if older is not None:
                self._jobs.remove(older)
            elif len(self._jobs) >= self._max_queued:
                raise EngineBusy(
                    f"The engine has {len(self._jobs)} requests waiting; at most "
                    f"{self._max_queued} may. Try again in a moment."
                )
            self._jobs.append(job)
            self._changed.notify()
        if older is not None:
            older.deliver_cancelled()

    def take(self) -> InfillJob | None:
        """Wait for the next job; None once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._is_closed)
            return None if self._is_closed else self._jobs.popleft()

    def drop(self, job: InfillJob) -> None:
        """Forget a waiting job nobody wants any more, so that its place is free."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)

    def close(self) -> None:
        """Take no more jobs, end the waiting ones as cancelled and wake whoever waits."""
        with self._changed:
            self._is_closed = True
            waiting = list(self._jobs)
            self._jobs.clear()
            self._changed.notify_all()
        for job in waiting:
            job.deliver_cancelled()

    def _find_document(self, document_id: str) -> InfillJob | None:
        if not document_id:
            return None
        return next((job for job in self._jobs if job.document_id == document_id), None)
