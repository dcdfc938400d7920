"""The embedded model, and requests that do on purpose what a cluster has to cope with.

What the engine does is written in the prefix of the request:
    STEPS n     n slow steps, whose text names the process
    STUCK       never makes a step, and does not notice that it was cancelled
    DIE path    ends the process at once, unless the file at `path` is there; makes it
otherwise the embedded model answers.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infill_engine.api import CancelToken, InfillRequest, InfillResult, InfillUpdate
from infill_engine.server.engine_worker import DescribedEngine, LoadProgress
from infill_engine.server.options import ServerOptions
from infill_engine.server.run import loader_of

STEP_S = 0.05


class EngineWithTricks:
    def __init__(self, engine: DescribedEngine) -> None:
        self._engine = engine

    def describe(self) -> dict[str, Any]:
        return self._engine.describe()

    def infill(self, request: InfillRequest, cancel: CancelToken | None = None) -> InfillResult:
        return self._engine.infill(request, cancel)

    def stream(
        self, request: InfillRequest, cancel: CancelToken | None = None
    ) -> Iterator[InfillUpdate | InfillResult]:
        word, _, rest = request.prefix.partition(" ")
        if word == "STEPS":
            yield from _slow_steps(int(rest), cancel or CancelToken())
            return
        if word == "STUCK":
            while True:
                time.sleep(1)
        if word == "DIE" and not Path(rest).exists():
            Path(rest).touch()
            os._exit(9)
        yield from self._engine.stream(request, cancel)


def _slow_steps(num_steps: int, cancel: CancelToken) -> Iterator[InfillUpdate | InfillResult]:
    step_idx = 0
    while step_idx < num_steps and not cancel.is_cancelled:
        yield InfillUpdate(step_idx, 0, f"{os.getpid()} {step_idx}", 0, (1.0,), 1)
        time.sleep(STEP_S)
        step_idx += 1
    reason = "cancelled" if cancel.is_cancelled else "converged"
    yield InfillResult(f"{os.getpid()}", reason, step_idx, 1, 1, 0, 1, 0.1, {"total": 1.0})


def load(progress: LoadProgress) -> EngineWithTricks:
    return EngineWithTricks(loader_of(ServerOptions(num_threads=1))(progress))
