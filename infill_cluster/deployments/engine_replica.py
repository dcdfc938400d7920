"""One engine inside Ray: the engine's own worker and HTTP application, without a socket.

A replica counts as ready once its model is loaded. It notices itself when it is wedged, and ends:
Ray starts another. Knows nothing of tokens or limits, which are the gateway's.
"""

import logging
import os
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from infill_cluster.config import ReplicasSection
from infill_cluster.engine_call import (
    HEARTBEAT,
    AnswerHead,
    AnswerPart,
    EngineCall,
    call_application,
)
from infill_engine.server.app import build_app
from infill_engine.server.engine_worker import EngineLoader, EngineWorker
from infill_engine.server.metrics import EngineMetrics
from infill_engine.server.options import ServerOptions
from infill_engine.server.run import loader_of

logger = logging.getLogger(__name__)

EXIT_CODE_WEDGED = 70
_LOAD_POLL_S = 0.05
_HEARTBEAT_S = 1.0
_CLOSE_TIMEOUT_S = 3.0


class EngineReplica:
    """The engine that one replica holds."""

    def __init__(
        self,
        engine: dict[str, Any],
        replicas: dict[str, Any],
        load_engine: EngineLoader | None = None,
    ) -> None:
        """Load the model; returns when it can fill gaps.

        Args:
            engine: fields of `config.EngineSection`.
            replicas: fields of `config.ReplicasSection`.
            load_engine: loads the engine; None loads the model that `engine` names.

        Raises:
            RuntimeError: the model could not be loaded; the message says why. Ray tries again a
                few times and then keeps the message.
        """
        options = ServerOptions(**engine, idle_exit_minutes=0)
        metrics = EngineMetrics()
        self._config = {"engine": engine, "replicas": replicas}
        self._wedged_after_s = ReplicasSection(**replicas).wedged_after_s
        self._worker = EngineWorker(
            load_engine or loader_of(options), options.max_queued_requests, metrics
        )
        # The application wants a token, and only this object may call it.
        self._authorization = ("authorization", f"Bearer {(token := secrets.token_urlsafe(32))}")
        self._app = build_app(options, token, self._worker, metrics)
        self._last_sign_s = time.monotonic()
        self._worker.start()
        while (state := self._worker.load_state).status == "loading":
            time.sleep(_LOAD_POLL_S)
        if state.status == "failed":
            raise RuntimeError(state.why)

    async def answer(self, call: EngineCall) -> AsyncGenerator[AnswerPart, None]:
        """Yield what the engine answers, part by part; cancelling it cancels the request."""
        if not self._worker.num_running:
            self._last_sign_s = time.monotonic()
        authorized = replace(call, headers=(*call.headers, self._authorization))
        async with aclosing(call_application(self._app, authorized, _HEARTBEAT_S)) as parts:
            async for part in parts:
                if not _is_only_waiting(part):
                    self._last_sign_s = time.monotonic()
                yield part

    def config(self) -> dict[str, Any]:
        """Return the sections of the configuration that this replica runs with."""
        return self._config

    def num_running(self) -> int:
        """Requests being denoised: what a client left behind would show here."""
        return self._worker.num_running + self._worker.num_queued

    def load(self) -> dict[str, int]:
        """Return the fields of `engine_loads.EngineLoad`."""
        return {
            "pid": os.getpid(),
            "num_running": self._worker.num_running,
            "num_queued": self._worker.num_queued,
            "num_slots_taken": self._worker.num_slots_taken,
        }

    def is_wedged(self) -> bool:
        """Whether a request has made no step for so long that it never will."""
        silent_s = time.monotonic() - self._last_sign_s
        return self._worker.num_running > 0 and silent_s > self._wedged_after_s

    def check_health(self) -> None:
        """End the process when it is wedged; Ray asks now and then.

        Raising would only have Ray wait as long as it waits for a drain: nothing ends a thread
        that is stuck in a kernel but the end of its process.
        """
        if self.is_wedged():
            logger.error("no step for %.0f s: this replica ends", self._wedged_after_s)
            os._exit(EXIT_CODE_WEDGED)

    def __del__(self) -> None:
        """End the worker: Ray calls this when the replica has been drained."""
        worker = getattr(self, "_worker", None)
        if worker is not None:
            worker.close(_CLOSE_TIMEOUT_S)


def _is_only_waiting(part: AnswerPart) -> bool:
    """Whether a part says nothing of the request: an event stream's ping, or a heartbeat."""
    if isinstance(part, AnswerHead):
        return False
    return part == HEARTBEAT or part.startswith(b":")
