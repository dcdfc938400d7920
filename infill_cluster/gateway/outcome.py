"""How a request ended and what it cost, read from the answer on its way through.

Counts and codes only: the text that an event carries is not kept. Knows nothing of HTTP.
"""

import time
from dataclasses import dataclass, field

from infill_cluster.security.audit import AuditEntry
from infill_engine.api import InfillError
from infill_engine.wire import error_from_json, result_from_json

DISCONNECTED = "disconnected"
"""Outcome of a request whose client left before its end."""


@dataclass(slots=True)
class Outcome:
    """What is known so far of one request.

    Attributes:
        user: whose it is.
        name: finish reason, error code or "disconnected"; the last until more is known.
        status_code: HTTP status sent; 0 before.
        first_event_s: seconds until the first chunk of the answer; None before.
    """

    user: str
    name: str = DISCONNECTED
    status_code: int = 0
    num_tokens: int = 0
    cached_tokens: int = 0
    prefilled_tokens: int = 0
    request_bytes: int = 0
    num_retries: int = 0
    first_event_s: float | None = None
    _started_s: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request's head was read."""
        return time.monotonic() - self._started_s

    @property
    def is_ended(self) -> bool:
        """Whether the answer's last event went through, or an error was sent instead."""
        return self.name != DISCONNECTED

    def note_error(self, error: InfillError, status_code: int) -> None:
        """Note that the answer is this error."""
        self.name = error.code
        self.status_code = status_code

    def note_chunk(self, chunk: bytes) -> None:
        """Look at a chunk of the answer: the engine sends each event as one."""
        if self.first_event_s is None:
            self.first_event_s = self.elapsed_s
        kind, _, rest = chunk.partition(b"\n")
        data = rest.removeprefix(b"data: ").rstrip()
        if kind.rstrip() == b"event: done":
            result = result_from_json(data)
            self.name = result.finish_reason
            self.num_tokens = result.num_tokens
            self.cached_tokens = result.cached_tokens
            self.prefilled_tokens = result.prefilled_tokens
        elif kind.rstrip() == b"event: error":
            self.name = error_from_json(data).code
        elif self.status_code >= 400:
            self.name = error_from_json(chunk).code

    def entry(self) -> AuditEntry:
        """Return the line for the audit file."""
        return AuditEntry(
            user=self.user,
            outcome=self.name,
            status_code=self.status_code,
            num_tokens=self.num_tokens,
            cached_tokens=self.cached_tokens,
            prefilled_tokens=self.prefilled_tokens,
            request_bytes=self.request_bytes,
            milliseconds=round(self.elapsed_s * 1000),
            num_retries=self.num_retries,
        )
