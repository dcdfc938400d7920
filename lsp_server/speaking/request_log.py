"""One line per request: what came of it, why, how long it took and how large it was. Never code.

A file that the user names in the settings or looks for when something is slow; JSON lines, the old
ones dropped with the file before last. Knows nothing of how requests are answered.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

MAX_BYTES = 1_000_000
NUM_OLDER_FILES = 2
"""Files kept beside the present one, as NAME.1 and NAME.2."""


@dataclass(frozen=True, slots=True)
class RequestLine:
    """What is written of one request. No field may ever hold text of a document, or its path.

    Attributes:
        document: number of the document in its session, in the order they were first asked about.
        language_id: LSP language identifier.
        is_invoked: whether the user asked by hand.
        outcome: "model", "shown" or "neighbours" when answered from there, else the reason why not.
        took_ms: from request to outcome.
        waited_ms: of these, what was meant to be waited for the next key.
        prefix_chars: sent before the cursor.
        suffix_chars: sent after the cursor.
        text_chars: suggested.
        confidence: probability claimed for the suggestion, None when none is.
    """

    document: int
    language_id: str
    is_invoked: bool
    outcome: str
    took_ms: float
    waited_ms: float = 0.0
    prefix_chars: int = 0
    suffix_chars: int = 0
    text_chars: int = 0
    confidence: float | None = None


def request_log_file() -> Path:
    """Where the log is kept: beside the counters."""
    from lsp_server.speaking.stats_file import stats_file

    return stats_file().with_name("requests.jsonl")


class RequestLog:
    """Appends to a file until it is full, then begins another."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._file: TextIO | None = None
        self._is_broken = False

    def write(self, line: RequestLine) -> None:
        """Append one line. Never raises: after a failure nothing is written any more."""
        if self._is_broken:
            return
        written = {"at_s": round(self._clock(), 3), **asdict(line)}
        written["took_ms"] = round(line.took_ms, 1)
        written["waited_ms"] = round(line.waited_ms, 1)
        try:
            file = self._opened()
            file.write(json.dumps(written) + "\n")
            file.flush()
        except OSError:
            self._is_broken = True
            self.close()

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                self._is_broken = True

    def _opened(self) -> TextIO:
        if self._file is not None and self._file.tell() >= MAX_BYTES:
            self.close()
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size >= MAX_BYTES:
                self._rotate()
            self._file = self._path.open("a", encoding="utf-8")
        return self._file

    def _rotate(self) -> None:
        names = [self._path, *(self._older(idx + 1) for idx in range(NUM_OLDER_FILES))]
        for older, newer in reversed(list(zip(names[1:], names[:-1], strict=True))):
            if newer.exists():
                newer.replace(older)

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
