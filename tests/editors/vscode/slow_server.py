"""A language server whose suggestion becomes known bit by bit, when the test says so.

Run as a program: `python slow_server.py FOLDER`. It offers the text in FOLDER/text. Of that, the
number in FOLDER/known counts the characters that may be shown by now; all of them end the request.
Every method it receives is a line in FOLDER/methods; the place of the newest request stands in
FOLDER/asked as "line:character". Knows nothing of models; it stands in for one that is slower than
any test machine.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

_POLL_S = 0.01


class SlowServer:
    """One session on stdin and stdout.

    Attributes:
        folder: by which the test talks to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._cancelled = set[int | str]()
        self._version = 0

    def run(self) -> None:
        """Serve until the client ends the connection."""
        while message := _read():
            method, number = message.get("method", ""), message.get("id")
            with (self.folder / "methods").open("a") as methods:
                methods.write(method + "\n")
            params = message.get("params") or {}
            if method == "$/cancelRequest":
                self._cancelled.add(params["id"])
            elif method in ("textDocument/didOpen", "textDocument/didChange"):
                self._version = params["textDocument"]["version"]
            elif method == "exit":
                return
            elif method == "infill/stream":
                place = params["position"]
                (self.folder / "asked").write_text(f"{place['line']}:{place['character']}")
                threading.Thread(target=self._stream, args=(number, params), daemon=True).start()
            elif number is not None and method:
                self._send({"id": number, "result": _ANSWERS.get(method)})

    def _stream(self, number: int | str, params: dict[str, Any]) -> None:
        text = (self.folder / "text").read_text()
        version, told = self._version, -1
        while told < len(text):
            if number in self._cancelled:
                self._send({"id": number, "error": {"code": -32800, "message": "cancelled"}})
                return
            known = min(len(text), int((self.folder / "known").read_text() or 0))
            if known > told:
                told = known
                self._update(params["token"], version, text[:told], is_done=told == len(text))
            time.sleep(_POLL_S)
        place = params["position"]
        item = {"insertText": text, "range": {"start": place, "end": place}}
        self._send({"id": number, "result": [item]})

    def _update(self, token: int | str, version: int, stable: str, is_done: bool) -> None:
        update = {"token": token, "sequence": 0, "version": version, "text": stable}
        rest = {"stable": stable, "settledLength": len(stable), "confidence": [], "done": is_done}
        self._send({"method": "infill/update", "params": {**update, **rest}})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        with self._lock:
            sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            sys.stdout.buffer.flush()


_ANSWERS: dict[str, Any] = {
    "initialize": {
        "capabilities": {
            "textDocumentSync": 2,
            "inlineCompletionProvider": {},
            "executeCommandProvider": {"commands": ["infill.didAccept"]},
        }
    },
    "infill/status": {"state": "ready", "message": "Ready.", "percent": None},
}


def _read() -> dict[str, Any] | None:
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(sys.stdin.buffer.read(length)) if length else None


if __name__ == "__main__":
    SlowServer(Path(sys.argv[1])).run()
