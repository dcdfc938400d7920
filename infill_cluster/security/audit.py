"""One line per request: who, when, how many tokens, how long, how it ended.

Never code, a path or the name of a document: a line has only the fields of `AuditEntry`. The file
may be moved away at any time (logrotate); it is opened anew. Knows nothing of HTTP.
"""

import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path

from infill_engine.api import ConfigError


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is kept of a request.

    Attributes:
        user: whose token it carried.
        outcome: finish reason, error code or "disconnected".
        status_code: HTTP status; 0 when the client left before there was one.
        num_tokens: tokens generated.
        cached_tokens: prompt tokens that were in the replica's KV cache.
        prefilled_tokens: prompt tokens computed.
        request_bytes: size of the request's body.
        milliseconds: from the request's head to the end of the answer.
        num_retries: replicas that were lost before they had answered anything.
    """

    user: str
    outcome: str
    status_code: int
    num_tokens: int
    cached_tokens: int
    prefilled_tokens: int
    request_bytes: int
    milliseconds: int
    num_retries: int


class AuditLog:
    """Appends entries as JSON lines to a file that only its owner may read."""

    def __init__(self, path: Path | None) -> None:
        """Open the file; None writes nothing.

        Raises:
            ConfigError: the file cannot be written.
        """
        self.num_failed = 0
        """Entries that could not be written, a full disk for example."""
        self._handler: _Handler | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._handler = _Handler(path, self)
        except OSError as error:
            raise ConfigError(
                f"The audit file {path} cannot be written ({error.strerror})."
            ) from None

    def write(self, entry: AuditEntry) -> None:
        """Append one line; a failure is counted and spoils no request."""
        if self._handler is None:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time, **asdict(entry)})
        record = logging.LogRecord("audit", logging.INFO, "", 0, "%s", (line,), None)
        self._handler.handle(record)

    def close(self) -> None:
        """Close the file."""
        if self._handler is not None:
            self._handler.close()


class _Handler(WatchedFileHandler):
    # A line is one write to a file opened for appending: two gateways may share it while one
    # takes over from the other.
    def __init__(self, path: Path, log: AuditLog) -> None:
        self._log = log
        super().__init__(path, encoding="utf-8", errors="backslashreplace")

    def _open(self):  # noqa: ANN202  as the parent's
        opened = super()._open()
        os.chmod(self.baseFilename, 0o600)  # noqa: PTH101  a str in the parent
        return opened

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the parent's name
        self._log.num_failed += 1
