"""Requests that wait for the engine, and which run: whose turn it is, and who makes way for whom.

Bounded, and fair: of the users that wait, the one with the least running is next, then the one
whose last turn was longest ago. A document has one request at most: a newer one takes the older
one's place, since the editor no longer wants that answer, and begins once that has ended. Knows
nothing of HTTP or of the engine.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from infill_engine.api import (
    CancelToken,
    EngineBusy,
    EngineUnavailable,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
)
from infill_engine.server.turns import Turns

JobEvent = InfillUpdate | InfillResult | InfillError


@dataclass(eq=False, slots=True)
class InfillJob:
    """A request on its way through the engine.

    Attributes:
        request: what to fill.
        document_id: who asks, and for which document, divided by the first space; empty supersedes
            nothing.
        deliver: called from any thread with every event; the last is a result or an error.
        cancel: set when nobody waits for the answer any more.
        submitted_s: monotonic time at which the job was made.
    """

    request: InfillRequest
    document_id: str
    deliver: Callable[[JobEvent], None]
    cancel: CancelToken = field(default_factory=CancelToken)
    submitted_s: float = field(default_factory=time.monotonic)

    @property
    def user(self) -> str:
        """Who asks: the id's part before its first space; all of it where there is none."""
        return self.document_id.partition(" ")[0]

    @property
    def waited_ms(self) -> float:
        """Milliseconds since it was made."""
        return (time.monotonic() - self.submitted_s) * 1000.0

    @property
    def is_late(self) -> bool:
        """Whether its deadline has passed: its clock started when it arrived."""
        deadline_ms = self.request.deadline_ms
        return deadline_ms is not None and self.waited_ms >= deadline_ms

    def deliver_unstarted(self, reason: Literal["cancelled", "deadline"]) -> None:
        """End a job that was never started."""
        self.deliver(
            InfillResult(
                text="",
                finish_reason=reason,
                num_steps=0,
                num_canvases=0,
                num_tokens=0,
                cached_tokens=0,
                prefilled_tokens=0,
                mean_entropy=0.0,
                timings_ms={"total": self.waited_ms},
            )
        )


class RequestQueue:
    """Bounded queue of jobs, and those taken from it that have not ended; safe from any thread."""

    def __init__(self, max_queued: int) -> None:
        self._max_queued = max_queued
        self._waiting: list[InfillJob] = []
        self._running: list[InfillJob] = []
        self._turns = Turns()
        self._changed = threading.Condition()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        """Jobs taken that have not ended."""
        return len(self._running)

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more jobs."""
        return self._is_closed

    def submit(self, job: InfillJob) -> None:
        """Append a job; an older one of its document ends as cancelled, within a step if it runs.

        Where no more may wait, the newest job of whoever has most of them waiting makes way for
        one of a user with fewer, and ends as busy.

        Raises:
            EngineBusy: as many jobs as allowed are waiting already.
            EngineUnavailable: the queue is closed.
        """
        with self._changed:
            if self._is_closed:
                raise EngineUnavailable("The engine is ending; ask again to start another.")
            older = _of_document(self._waiting, job.document_id)
            displaced: InfillJob | None = None
            if older is None and len(self._waiting) >= self._max_queued:
                displaced = self._greediest(job.user)
                if displaced is None:
                    raise self._busy()
            for leaving in (older, displaced):
                if leaving is not None:
                    self._waiting.remove(leaving)
            if (running := _of_document(self._running, job.document_id)) is not None:
                running.cancel.cancel()
            self._waiting.append(job)
            self._changed.notify()
        if older is not None:
            older.deliver_unstarted("cancelled")
        if displaced is not None:
            displaced.deliver(self._busy())

    def take(self, waits: bool) -> InfillJob | None:
        """The next job, which runs from now on until `end`; None where nobody's turn has come.

        Args:
            waits: wait for a job if there is none; None comes then only once the queue is closed.
        """
        with self._changed:
            if waits:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
            busy_documents = {job.document_id for job in self._running if job.document_id}
            ready = [job for job in self._waiting if job.document_id not in busy_documents]
            if not ready:
                return None
            user = self._turns.next_of(
                [job.user for job in ready], [job.user for job in self._running]
            )
            job = next(job for job in ready if job.user == user)
            self._waiting.remove(job)
            self._running.append(job)
            return job

    def end(self, job: InfillJob) -> None:
        """Forget a job that was taken."""
        with self._changed:
            self._running.remove(job)

    def end_late(self) -> None:
        """End waiting jobs whose deadline has passed."""
        with self._changed:
            late = [job for job in self._waiting if job.is_late]
            self._waiting = [job for job in self._waiting if job not in late]
        for job in late:
            job.deliver_unstarted("deadline")

    def drop(self, job: InfillJob) -> None:
        """Forget a waiting job nobody wants any more, so that its place is free."""
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)

    def close(self) -> None:
        """Take no more jobs, end the waiting ones as cancelled, cancel those that run."""
        with self._changed:
            self._is_closed = True
            waiting, self._waiting = self._waiting, []
            for job in self._running:
                job.cancel.cancel()
            self._changed.notify_all()
        for job in waiting:
            job.deliver_unstarted("cancelled")

    def _greediest(self, user: str) -> InfillJob | None:
        """The newest job of the user with most waiting, if that is two more than `user` has."""
        users = [job.user for job in self._waiting]
        most = max(users, key=users.count)
        if users.count(most) < users.count(user) + 2:
            return None
        return next(job for job in reversed(self._waiting) if job.user == most)

    def _busy(self) -> EngineBusy:
        return EngineBusy(
            f"The engine has {self._max_queued} requests waiting; at most {self._max_queued} may. "
            "Try again in a moment."
        )


def _of_document(jobs: list[InfillJob], document_id: str) -> InfillJob | None:
    if not document_id:
        return None
    return next((job for job in jobs if job.document_id == document_id), None)
