"""A client that sends exactly the bytes it is told to, for what a library would not send.

Knows nothing of what messages mean.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class RawClient:
    """A server's process, and everything it has said.

    Attributes:
        notifications: those of the server's, in order.
        requests: the server's own requests, each answered with an error as it came.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._answers: dict[Any, dict[str, Any]] = {}
        self.notifications: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []

    def send(self, message: dict[str, Any], headers: str = "") -> None:
        """Send a message, with more header lines if wanted."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.send_bytes(f"Content-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    def send_bytes(self, sent: bytes) -> None:
        """Send bytes as they are."""
        assert self._process.stdin is not None
        self._process.stdin.write(sent)
        self._process.stdin.flush()

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a request, and wait for its answer."""
        self.send(message)
        return self.answer_to(message["id"])

    def answer_to(self, request_id: Any) -> dict[str, Any]:
        """Wait for an answer."""
        while request_id not in self._answers:
            self._read()
        return self._answers.pop(request_id)

    def wait_for(self, method: str, **params: Any) -> dict[str, Any]:
        """Wait for a notification whose parameters have these values."""
        while True:
            for one in self.notifications:
                told = one.get("params")
                if one["method"] == method and told == {**told, **params}:
                    return told
            self._read()

    def _read(self) -> None:
        assert self._process.stdout is not None
        headers = iter(self._process.stdout.readline, b"\r\n")
        lengths = [int(line.split(b":")[1]) for line in headers if line.startswith(b"Content-L")]
        assert lengths, "the server has ended"
        message = json.loads(self._process.stdout.read(lengths[0]))
        if "method" not in message:
            self._answers[message["id"]] = message
        elif "id" in message:
            self.requests.append(message)
            error = {"code": -32601, "message": "not known here"}
            self.send({"id": message["id"], "error": error})
        else:
            self.notifications.append(message)


@contextmanager
def running_raw_client() -> Iterator[RawClient]:
    """A client with a server, which is killed if it does not end by itself."""
    command = [sys.executable, "-m", "lsp_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        client = RawClient(process)
        try:
            yield client
            client.ask({"id": "shutdown", "method": "shutdown"})
            client.send({"method": "exit"})
            assert process.wait(30) == 0
        finally:
            process.kill()
