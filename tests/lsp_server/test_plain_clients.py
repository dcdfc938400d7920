"""Clients that say little, or something else than VS Code's library would, as bytes over stdio."""

from typing import Any

import pytest

from .editor import PLAIN, URI, options_for
from .fake_engine import FakeEngine
from .raw_client import RawClient, running_raw_client

pytestmark = pytest.mark.e2e

TEXT = "é = '😀' + \n"


def start(client: RawClient, engine: FakeEngine, **said: Any) -> dict[str, Any]:
    """Initialize, and wait until the engine is ready; returns the server's capabilities."""
    params = {
        "processId": None,
        "rootUri": None,
        "capabilities": {},
        "initializationOptions": options_for(engine, **PLAIN),
        **said,
    }
    answer = client.ask({"id": 1, "method": "initialize", "params": params})
    client.send({"method": "initialized", "params": {}})
    client.wait_for("infill/status", state="ready")
    document = {"uri": URI, "languageId": "python", "version": 1, "text": TEXT}
    client.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
    return answer["result"]["capabilities"]


def ask(client: RawClient, character: int) -> Any:
    """Ask for an inline completion of the first line, and return the result."""
    params = {
        "textDocument": {"uri": URI},
        "position": {"line": 0, "character": character},
        "context": {"triggerKind": 1},
    }
    answer = client.ask({"id": 2, "method": "textDocument/inlineCompletion", "params": params})
    return answer["result"]


def test_a_client_that_says_nothing_of_itself(engine: FakeEngine) -> None:
    with running_raw_client() as client:
        capabilities = start(client, engine)
        assert capabilities["positionEncoding"] == "utf-16"
        assert capabilities["inlineCompletionProvider"] is not None
        (item,) = ask(client, 11)
        where = {"line": 0, "character": 11}
        assert (item["insertText"], item["range"]) == ("1", {"start": where, "end": where})
        assert engine.requests[-1]["prefix"] == "é = '😀' + "
        assert client.requests == [], "it can answer none"


def test_a_client_of_utf_8_alone(engine: FakeEngine) -> None:
    with running_raw_client() as client:
        said = {"capabilities": {"general": {"positionEncodings": ["utf-8"]}}}
        capabilities = start(client, engine, **said, clientInfo={"name": "kak-lsp"})
        assert capabilities["positionEncoding"] == "utf-8"
        assert [item["insertText"] for item in ask(client, 14)] == ["1"]
        assert engine.requests[-1]["prefix"] == "é = '😀' + "


def test_a_client_that_sends_whole_texts(engine: FakeEngine) -> None:
    with running_raw_client() as client:
        start(client, engine)
        change = {
            "textDocument": {"uri": URI, "version": 2},
            "contentChanges": [{"text": "x = 2\r\ny = \r\n"}],
        }
        client.send({"method": "textDocument/didChange", "params": change})
        params = {
            "textDocument": {"uri": URI},
            "position": {"line": 1, "character": 4},
            "context": {"triggerKind": 1},
        }
        client.ask({"id": 3, "method": "textDocument/inlineCompletion", "params": params})
        assert engine.requests[-1]["prefix"] == "x = 2\ny = "


def test_a_client_that_refuses_what_it_said_it_can(engine: FakeEngine) -> None:
    """It answers every request of the server's with an error; suggestions come all the same."""
    able = {
        "workspace": {
            "configuration": True,
            "didChangeConfiguration": {"dynamicRegistration": True},
            "didChangeWatchedFiles": {"dynamicRegistration": True},
        },
        "window": {"workDoneProgress": True},
    }
    with running_raw_client() as client:
        start(client, engine, capabilities=able)
        assert [item["insertText"] for item in ask(client, 11)] == ["1"]
        asked = {request["method"] for request in client.requests}
        assert "workspace/configuration" in asked


def test_headers_in_pieces_and_of_other_kinds(engine: FakeEngine) -> None:
    with running_raw_client() as client:
        start(client, engine)
        kind = "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n"
        client.send({"id": 7, "method": "infill/status"}, headers=kind)
        assert client.answer_to(7)["result"]["state"] == "ready"
        body = b'{"jsonrpc":"2.0","id":8,"method":"infill/status"}'
        for byte in b"Content-Length: %d\r\n\r\n%s" % (len(body), body):
            client.send_bytes(bytes([byte]))
        assert client.answer_to(8)["result"]["state"] == "ready"
