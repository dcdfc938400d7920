"""What the gateway wants of whoever answers: a stream of parts, and honest errors.

Knows nothing of Ray; `deployments/serve_replicas.py` is the real one.
"""

import time
from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

from infill_cluster.engine_call import AnswerHead, AnswerPart, EngineCall
from infill_cluster.routing import Placement

_MAX_RETRIES = 1
"""Replicas that may be lost under one request: it may be the request that ends them."""
_MAX_RETRY_AGE_S = 10.0
"""A replica lost after that was probably wedged, by this request."""


class ReplicaLost(Exception):
    """The replica ended, or cannot be reached any more, in mid-answer."""


class Replicas(Protocol):
    """Engines that can answer, seen as one."""

    def ask(self, call: EngineCall, key: str) -> AsyncGenerator[AnswerPart, None]:
        """Yield the parts of one engine's answer; closing the generator cancels the call.

        Args:
            call: what to ask.
            key: calls of the same key go to the same engine if it can take them.

        Raises:
            ReplicaLost: the engine went away; another one may be asked.
            EngineUnavailable: there is no engine to ask.
        """
        ...

    def placements(self) -> Mapping[Placement, int]:
        """Calls answered so far, by where they went."""
        ...


class HeldAnswer:
    """An answer whose head is held back until its first chunk is there.

    So long an answer can begin anew at another replica, and the client notices nothing.
    """

    def __init__(self, replicas: Replicas, call: EngineCall, key: str) -> None:
        self._replicas = replicas
        self._call = call
        self._key = key
        self.num_retries = 0
        """Replicas that were lost before they had answered anything."""

    async def parts(self) -> AsyncGenerator[AnswerPart, None]:
        """Yield head and chunks; raises ReplicaLost when retrying is of no use (any more)."""
        while True:
            held: AnswerHead | None = None
            is_begun = False
            asked_s = time.monotonic()
            answer = self._replicas.ask(self._call, self._key)
            try:
                async for part in answer:
                    if isinstance(part, AnswerHead):
                        held = part
                        continue
                    if held is not None:
                        yield held
                        held = None
                    is_begun = True
                    yield part
                if held is not None:
                    yield held
                return
            except ReplicaLost:
                took_s = time.monotonic() - asked_s
                if is_begun or self.num_retries >= _MAX_RETRIES or took_s > _MAX_RETRY_AGE_S:
                    raise
                self.num_retries += 1
            finally:
                await answer.aclose()
