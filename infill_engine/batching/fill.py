"""One request as a sequence of events that somebody drives: what it wants, what it tells, its end.

Whoever drives it decides when it goes on and where its predictions come from. Knows nothing of
prompts, of text or of other requests.
"""

from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Literal, Self

import torch

from infill_engine.api import InfillResult, InfillUpdate, OutOfMemory
from infill_engine.batching.slots import Slots
from infill_engine.denoising import answered_by
from infill_engine.forward import Forward, Prediction, Wanted
from infill_engine.run_limits import RunLimits

Pause = Literal["pause"]
"""A good place to let others go on: the next piece of a prefill comes."""

Told = InfillUpdate | InfillResult
FillEvent = Wanted | Pause | Told
FillEvents = Generator[FillEvent, Prediction | None, None]
"""Is sent the prediction for each `Wanted`, None otherwise; the last event is the result."""


class Fill:
    """A request and the slot it was lent, which goes back when the fill is closed."""

    def __init__(
        self,
        events: FillEvents,
        forward: Forward,
        limits: RunLimits,
        slots: Slots,
        out_of_memory: Callable[[], OutOfMemory],
    ) -> None:
        """Take charge of a slot.

        Args:
            events: the request's course; not begun.
            forward: answers what it wants; taken from `slots`.
            limits: its deadline and cancellation.
            slots: where `forward` goes back to.
            out_of_memory: what to say when the device's memory is spent.
        """
        self.forward = forward
        self._events, self._limits, self._slots = events, limits, slots
        self._out_of_memory = out_of_memory

    def __enter__(self) -> Self:
        """Close at the end of a `with` statement."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Give the slot back."""
        self.close()

    @property
    def must_stop(self) -> bool:
        """Whether it would end at once if it went on."""
        return self._limits.stop_reason() is not None

    def go_on(self, prediction: Prediction | None = None) -> FillEvent:
        """Run up to the next event.

        Args:
            prediction: for the last event, if that was a `Wanted`.
        """
        return self._events.send(prediction)

    def alone(self) -> Iterator[Told]:
        """Drive it to its end with nobody beside it.

        Raises:
            OutOfMemory: the device ran out of memory; the engine can go on with other requests.
        """
        try:
            for event in answered_by(self.forward, self._events):
                if event != "pause":
                    yield event
        except Exception as error:
            raise self.blame(error) from None

    def blame(self, error: Exception) -> Exception:
        """What to tell of a failure; forgets the prompt, which may be half written."""
        self.forward.cache.truncate(0)
        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            return self._out_of_memory()
        return error

    def close(self) -> None:
        """Give the slot back; the request does not go on. Call it once."""
        self._events.close()
        self._slots.give_back(self.forward)
