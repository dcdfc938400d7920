"""Records a session for a bug report: edits, requests and answers, as JSON lines, code and all.

Made only when the user names a file for it ("record"); `infill-ls replay` plays it back. Knows
nothing of LSP's types; positions are as the client counted them.
"""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from infill_engine.api import ConfigError
from lsp_server.documents import TextEdit
from lsp_server.positions import PositionEncoding

FORMAT = 1
MAX_BYTES = 50_000_000
"""Then the recording ends: a forgotten one must not fill the disk."""
EVENTS = ("open", "change", "close", "ask", "answer")
_NOT_RECORDED = ("engine", "engine.url", "engine.token", "record")


class Recording:
    """One session's recording. Nothing here raises: after a failure nothing more is recorded."""

    def __init__(
        self,
        path: Path,
        encoding: PositionEncoding,
        options: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin a new file, for the user alone; an older one of this name is overwritten.

        Args:
            path: where to.
            encoding: what positions count.
            options: the client's settings; where the engine is and its token are left out.
            clock: seconds, from any beginning.
        """
        self._clock = clock
        self._began_s = clock()
        self._num_bytes = 0
        self._file: TextIO | None = None
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._file = os.fdopen(handle, "w", encoding="utf-8")
        except (OSError, ValueError):
            return
        kept = {key: val for key, val in (options or {}).items() if key not in _NOT_RECORDED}
        self._write({"infill_recording": FORMAT, "encoding": encoding, "options": kept})

    @property
    def is_running(self) -> bool:
        """Whether anything is still recorded."""
        return self._file is not None

    def opened(self, uri: str, language_id: str, version: int, text: str) -> None:
        """Record that a document was opened."""
        self._event("open", uri=uri, language_id=language_id, version=version, text=text)

    def changed(self, uri: str, version: int, edits: Sequence[TextEdit | str]) -> None:
        """Record a document's changes; a str is a whole new text."""
        plain = [
            edit
            if isinstance(edit, str)
            else [edit.start_line, edit.start_units, edit.end_line, edit.end_units, edit.new_text]
            for edit in edits
        ]
        self._event("change", uri=uri, version=version, edits=plain)

    def closed(self, uri: str) -> None:
        """Record that a document was closed."""
        self._event("close", uri=uri)

    def asked(self, number: int, uri: str, line: int, units: int, is_invoked: bool) -> None:
        """Record a request; `number` tells its answer."""
        self._event("ask", number=number, uri=uri, line=line, units=units, is_invoked=is_invoked)

    def answered(self, number: int, text: str | None, reason: str = "") -> None:
        """Record what came of a request: a text, or None and why."""
        self._event("answer", number=number, text=text, reason=reason)

    def close(self) -> None:
        """End the recording."""
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError:
            return

    def _event(self, event: str, **fields: Any) -> None:
        at_ms = round((self._clock() - self._began_s) * 1000)
        self._write({"at_ms": at_ms, "event": event, **fields})

    def _write(self, data: dict[str, Any]) -> None:
        if self._file is None:
            return
        line = json.dumps(data) + "\n"  # ASCII: half a surrogate pair comes through as well
        self._num_bytes += len(line)
        try:
            if self._num_bytes > MAX_BYTES:
                self.close()
                return
            self._file.write(line)
            self._file.flush()
        except OSError:
            self.close()


def read_recording(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a recording: its head, and its events in order. A last line cut short is left out.

    Raises:
        OSError: the file can not be read.
        ConfigError: it is no recording, or one of another format.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    head, *events = [_parsed(line) for line in lines if line.strip()] or [None]
    if head is None or head.get("infill_recording") != FORMAT:
        raise ConfigError(
            f"{path.name} is no recording that this version of infill-ls can play. Make one with "
            'the setting "record".'
        )
    return head, [event for event in events if event and event.get("event") in EVENTS]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
