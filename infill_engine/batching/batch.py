"""Several requests on one model, each at a step of its own: rounds that everybody takes part in.

A round is one pass over all canvases that wait for a prediction, after which each request goes on
until it wants the next, and one piece of one newcomer's prefill, so that nobody stands still for
long. A request's answer does not depend on who else runs: see `infill_engine.forward.together`.
Knows nothing of prompts or text, of queues or of documents.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from infill_engine.api import CancelToken, InfillRequest, InfillResult
from infill_engine.batching.fill import Fill, Told
from infill_engine.batching.latency_guard import LatencyGuard
from infill_engine.batching.slots import Slots
from infill_engine.forward import Prediction, Wanted
from infill_engine.forward.together import Together

Tell = Callable[[Told | Exception], None]


@dataclass(eq=False, slots=True)
class _Row:
    """A request that runs, whom to tell, and what it waits for: None says only its turn."""

    fill: Fill
    tell: Tell
    wanted: Wanted | None = None


class EngineBatch:
    """The requests that run. For one thread; other threads may use the engine between rounds."""

    def __init__(
        self,
        open_fill: Callable[[InfillRequest, CancelToken | None], Fill],
        slots: Slots,
        together: Together,
        guard: LatencyGuard,
        lock: threading.Lock,
        on_step: Callable[[int], None] = lambda _num_rows: None,
    ) -> None:
        """Begin with nobody.

        Args:
            open_fill: begins a request on a slot of `slots`.
            slots: what requests run on.
            together: answers what canvases want; has proved what it can share, or will.
            guard: says how many are worth running together.
            lock: held while the model works.
            on_step: told the number of rows of every step.
        """
        self._open_fill, self._slots, self._guard = open_fill, slots, guard
        self._lock, self._on_step = lock, on_step
        self._together = together
        self._rows: list[_Row] = []
        self._step_ms = 0.0  # of the newest step

    @property
    def num_rows(self) -> int:
        """Requests running."""
        return len(self._rows)

    @property
    def num_slots_taken(self) -> int:
        """KV slots lent, to these requests or to somebody else's."""
        return self._slots.num_taken

    @property
    def has_room(self) -> bool:
        """Whether one more request is worth beginning now."""
        return self._slots.num_free > 0 and self._guard.admits(len(self._rows))

    def admit(self, request: InfillRequest, cancel: CancelToken | None, tell: Tell) -> None:
        """Begin a request; it goes on with the next round.

        Args:
            request: what to fill.
            cancel: ends it within a step.
            tell: called from within `advance`, or at once where the request cannot begin, with an
                update after each step and at last with exactly one result or error.
        """
        try:
            with self._lock:
                fill = self._open_fill(request, cancel)
        except Exception as error:
            tell(error)
            return
        self._rows.append(_Row(fill, tell))

    def advance(self) -> None:
        """One round; tells what there is to tell as it comes up."""
        with self._lock:
            if wanting := [row for row in self._rows if row.wanted is not None]:
                self._step(wanting)
            # Those that end need nothing of the model and free their slots.
            for row in [row for row in self._rows if row.fill.must_stop]:
                while row in self._rows and row.wanted is None:
                    self._go_on(row)
            self._let_newcomers_go_on()

    def _let_newcomers_go_on(self) -> None:
        """A piece of prefill of each, the first to come first, until a step's time has passed."""
        begin_s = time.perf_counter()
        for row in [row for row in self._rows if row.wanted is None]:
            self._go_on(row)
            if (time.perf_counter() - begin_s) * 1000.0 >= self._step_ms:
                break

    def _step(self, rows: list[_Row]) -> None:
        wishes = [(row.fill.forward, row.wanted) for row in rows if row.wanted is not None]
        if len(wishes) > 1:
            self._together.prove(wishes[0][0])  # once, and not part of what a step costs
        begin_s = time.perf_counter()
        answers = self._together.predict(wishes)
        self._step_ms = (time.perf_counter() - begin_s) * 1000.0
        self._guard.observe(len(rows), sum(_work_of(wanted) for _, wanted in wishes), self._step_ms)
        self._on_step(len(rows))
        for row, answer in zip(rows, answers, strict=True):
            row.wanted = None
            if isinstance(answer, Exception):
                self._end(row, row.fill.blame(answer))
            else:
                self._go_on(row, answer)

    def _go_on(self, row: _Row, answer: Prediction | None = None) -> None:
        """Let a request run until it wants a prediction, makes room for others, or ends."""
        try:
            event = row.fill.go_on(answer)
            while not isinstance(event, Wanted | InfillResult) and event != "pause":
                row.tell(event)
                event = row.fill.go_on()
        except Exception as error:
            self._end(row, row.fill.blame(error))
            return
        if isinstance(event, InfillResult):
            self._end(row, event)
        elif isinstance(event, Wanted):
            row.wanted = event

    def _end(self, row: _Row, last: InfillResult | Exception) -> None:
        self._rows.remove(row)
        row.fill.close()
        row.tell(last)


def _work_of(wanted: Wanted) -> int:
    """Positions that the layers read and those that the head reads: on a CPU each costs as much."""
    pinned = wanted.canvas.pinned
    return pinned.numel() + int((~pinned).sum())
