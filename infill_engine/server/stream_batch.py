"""What the worker asks of whatever runs requests, and how an engine that only streams does it.

Imports nothing that loads torch: the worker's thread does that. Knows nothing of queues or HTTP.
"""

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from infill_engine.api import (
    CancelToken,
    InfillEngine,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
)

Tell = Callable[[InfillUpdate | InfillResult | Exception], None]
"""Called with updates, then exactly once with a result or an error."""


class Batch(Protocol):
    """Requests that run; for one thread."""

    @property
    def num_rows(self) -> int:
        """Requests running."""
        ...

    @property
    def num_slots_taken(self) -> int:
        """KV slots lent; more than `num_rows` when one was not given back."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether one more is worth beginning now; true when none runs."""
        ...

    def admit(self, request: InfillRequest, cancel: CancelToken, tell: Tell) -> None:
        """Begin a request; raises nothing, as `tell` is told why it could not."""
        ...

    def advance(self) -> None:
        """Take every request a little further; raises nothing."""
        ...


@runtime_checkable
class BatchingEngine(Protocol):
    """An engine that runs several requests at once."""

    def open_batch(self, on_step: Callable[[int], None]) -> Batch:
        """Begin with no request; `on_step` is told the rows of every denoising step."""
        ...


class StreamBatch:
    """One request after the other, for an engine that only streams."""

    def __init__(self, engine: InfillEngine) -> None:
        self._engine = engine
        self._events: Iterator[InfillUpdate | InfillResult] | None = None
        self._tell: Tell = lambda _event: None

    @property
    def num_rows(self) -> int:
        """0 or 1."""
        return int(self._events is not None)

    @property
    def num_slots_taken(self) -> int:
        """The engine's one, while a request runs."""
        return self.num_rows

    @property
    def has_room(self) -> bool:
        """Whether nothing runs."""
        return self._events is None

    def admit(self, request: InfillRequest, cancel: CancelToken, tell: Tell) -> None:
        """See `Batch`."""
        self._tell = tell
        try:
            self._events = iter(self._engine.stream(request, cancel))
        except Exception as error:
            tell(error)

    def advance(self) -> None:
        """Tell the next event."""
        if self._events is None:
            return
        try:
            event = next(self._events, None)
            if isinstance(event, InfillResult):
                for _ in self._events:  # lets the engine close what it holds
                    pass
        except Exception as error:
            event = error
        if event is None:
            event = InfillError("The engine ended without a result.")
        if not isinstance(event, InfillUpdate):
            self._events = None
        self._tell(event)
