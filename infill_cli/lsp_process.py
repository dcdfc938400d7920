"""A language server as a child process, driven over its stdin and stdout.

Knows the framing of messages and which answer belongs to which request; knows nothing of what is
asked.
"""

import json
import queue
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Any, BinaryIO

from infill_engine.api import InfillError


class LspProcess:
    """A fresh server. Use as a context manager: leaving it ends the process.

    Attributes:
        answers: results by request number, with the seconds each took.
    """

    def __init__(self) -> None:
        self.answers: dict[int, tuple[Any, float]] = {}
        self._sent_at_s: dict[int, float] = {}
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lsp_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> "LspProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()

    def notify(self, method: str, params: Any) -> None:
        """Send a notification.

        Raises:
            InfillError: the server has ended.
        """
        self._send({"method": method, "params": params})

    def request(self, number: int, method: str, params: Any) -> None:
        """Send a request; its answer comes to stand in `answers`.

        Raises:
            InfillError: the server has ended.
        """
        self._sent_at_s[number] = time.monotonic()
        self._send({"id": number, "method": method, "params": params})

    def take(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next message, noting it when it is an answer; None when none came in time.

        Raises:
            InfillError: the server has ended.
        """
        try:
            message = self._messages.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            return None
        if message is None:
            raise InfillError("The language server ended before everything was answered.")
        number = message.get("id")
        if "method" not in message and number in self._sent_at_s:
            took_s = time.monotonic() - self._sent_at_s[number]
            self.answers[number] = (message.get("result"), took_s)
        elif "method" in message and number is not None:
            self._send({"id": number, "result": None})  # what a server asks of its client
        return message

    def wait_for_answers(self, numbers: set[int], timeout_s: float) -> None:
        """Return when all these requests are answered, or the time is over."""
        give_up_at_s = time.monotonic() + timeout_s
        while not numbers <= set(self.answers) and time.monotonic() < give_up_at_s:
            self.take(give_up_at_s - time.monotonic())

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self._process.stdin.flush()
        except OSError:
            raise InfillError("The language server has ended.") from None

    def _read(self) -> None:
        assert self._process.stdout is not None
        while (message := _next_message(self._process.stdout)) is not None:
            self._messages.put(message)
        self._messages.put(None)


def _next_message(stream: BinaryIO | Any) -> dict[str, Any] | None:
    num_bytes = 0
    while line := stream.readline():
        if not line.strip():
            return json.loads(stream.read(num_bytes))
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            num_bytes = int(value)
    return None
