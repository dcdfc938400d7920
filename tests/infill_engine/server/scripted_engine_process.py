"""A real engine process with a scripted engine on the far side; run by path from the tests.

What the engine does is written in the prefix of the request:
    SLOW   steps until cancelled (the text counts the steps)
    FAIL   raises an exception that quotes the prefix
    OOM    raises the contract's OutOfMemory
    EXIT   ends the process at once, as the kernel's OOM killer would
otherwise three steps towards the text `return left + right`.
"""

import argparse
import os
import time
from collections.abc import Iterator
from typing import Any

from infill_engine.api import (
    CancelToken,
    CheckpointError,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    OutOfMemory,
)
from infill_engine.server.options import ServerOptions
from infill_engine.server.run import LoadProgress, run_engine_server

TEXT = "return left + right"


class ScriptedEngine:
    def describe(self) -> dict[str, Any]:
        return {"model": "scripted", "device": "cpu", "num_parameters": 7}

    def infill(self, request: InfillRequest, cancel: CancelToken | None = None) -> InfillResult:
        *_, result = self.stream(request, cancel)
        assert isinstance(result, InfillResult)
        return result

    def stream(
        self, request: InfillRequest, cancel: CancelToken | None = None
    ) -> Iterator[InfillUpdate | InfillResult]:
        if "FAIL" in request.prefix:
            raise ValueError(request.prefix)
        if "OOM" in request.prefix:
            raise OutOfMemory("The device has 1 GiB free; the model needs 2 GiB.")
        is_slow = "SLOW" in request.prefix
        cancel = cancel or CancelToken()
        step_idx = 0
        while not cancel.is_cancelled and (is_slow or step_idx < 3):
            text = f"step {step_idx}" if is_slow else TEXT[: 7 * (step_idx + 1)]
            yield InfillUpdate(step_idx, 0, text, len(text) // 2, (2.0, 0.5, 0.0), 1)
            if "EXIT" in request.prefix:
                os._exit(9)
            time.sleep(0.02 if is_slow else 0)
            step_idx += 1
        yield InfillResult(
            text=f"step {step_idx}" if is_slow else TEXT,
            finish_reason="cancelled" if cancel.is_cancelled else "converged",
            num_steps=step_idx,
            num_canvases=1,
            num_tokens=4,
            cached_tokens=2,
            prefilled_tokens=3,
            mean_entropy=0.1,
            timings_ms={"prefill": 1.0, "denoise": 2.0, "total": 3.0},
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="scripted")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--kv-cache", default="auto")
    parser.add_argument("--num-threads", type=int)
    parser.add_argument("--max-context-tokens", type=int)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--idle-exit-minutes", type=float, default=5)
    parser.add_argument("--max-queued-requests", type=int, default=2)
    parser.add_argument("--max-request-bytes", type=int, default=100_000)
    parser.add_argument("--load-s", type=float, default=0.0)
    parser.add_argument("--load-error", action="store_true")
    parser.add_argument("--load-bug", action="store_true")
    values = vars(parser.parse_args())
    load_s, load_error, load_bug = (values.pop(f"load_{x}") for x in ("s", "error", "bug"))

    def load(progress: LoadProgress) -> ScriptedEngine:
        progress("reading the script", 0.5)
        time.sleep(load_s)
        if load_error:
            raise CheckpointError("The folder /nowhere holds no config.json.")
        if load_bug:
            raise KeyError("a bug")
        return ScriptedEngine()

    try:
        run_engine_server(ServerOptions(**values), load)
    except InfillError as error:
        raise SystemExit(f"{error}") from None


if __name__ == "__main__":
    main()
