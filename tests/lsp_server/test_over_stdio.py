"""The server's process over stdio, with a scripted engine on its far side."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from .editor import PLAIN, URI, Editor, options_for, running_editor, wait_until
from .fake_engine import TOKEN, FakeEngine

pytestmark = pytest.mark.e2e


def test_the_server_does_not_load_torch() -> None:
    script = (
        "import sys, lsp_server.server, lsp_server.__main__, lsp_server.infill_link\n"
        "heavy = {'torch', 'numpy', 'transformers', 'triton', 'httpx', 'starlette'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


async def test_inline_completion_is_advertised(editor: Editor) -> None:
    assert editor.capabilities.inline_completion_provider is not None
    sync = editor.capabilities.text_document_sync
    assert isinstance(sync, types.TextDocumentSyncOptions)
    assert sync.open_close
    assert sync.change == types.TextDocumentSyncKind.Incremental
    assert editor.capabilities.position_encoding == "utf-16"


async def test_a_gap_is_filled_at_the_cursor(editor: Editor, engine: FakeEngine) -> None:
    engine.middle = "a + b\n    return 2"
    editor.open("def add(a, b):\n    x = 1\n\n\nadd(1, 2)\n")
    editor.type("    return ", 2, 0)
    items = await editor.ask(2, 11)
    assert [(item.insert_text, item.range) for item in items] == [
        ("a + b", types.Range(types.Position(2, 11), types.Position(2, 11)))
    ]
    request = engine.requests[-1]
    assert request["prefix"] == "def add(a, b):\n    x = 1\n    return "
    assert request["suffix"] == "\n\nadd(1, 2)\n"
    assert request["mode"] == "line"
    assert request["path"] == "src/a.py"
    assert request["language_id"] == "python"


async def test_an_empty_body_is_filled_whole(editor: Editor, engine: FakeEngine) -> None:
    engine.middle = "x = 1\n    return x\n"
    editor.open("def f():\n    \n")
    assert await editor.texts(1, 4) == ["x = 1\n    return x"]
    assert engine.requests[-1]["mode"] == "block"


@pytest.mark.parametrize(
    ("encoding", "character"),
    [
        (types.PositionEncodingKind.Utf8, 13),
        (types.PositionEncodingKind.Utf16, 9),
        (types.PositionEncodingKind.Utf32, 8),
    ],
)
async def test_every_position_encoding(
    engine: FakeEngine, encoding: types.PositionEncodingKind, character: int
) -> None:
    async with running_editor(options_for(engine, **PLAIN), [encoding]) as editor:
        await editor.wait_for_status("ready")
        assert editor.capabilities.position_encoding == encoding
        editor.open("a\r\n\ts = '😀é\r\nb\r\n")
        editor.type("!", 1, character)
        await editor.texts(1, character + 1)
        assert engine.requests[-1]["prefix"] == "a\n\ts = '😀é!"
        assert engine.requests[-1]["suffix"] == "\nb\n"


async def test_form_feeds_do_not_shift_lines(editor: Editor, engine: FakeEngine) -> None:
    editor.open("a\n\f\nb\u2028c\nd = \n")
    editor.type("x", 3, 4)
    await editor.texts(3, 5)
    assert engine.requests[-1]["prefix"] == "a\n\f\nb\u2028c\nd = x"


async def test_cancelling_answers_32800_and_stops_the_engine(
    editor: Editor, engine: FakeEngine
) -> None:
    engine.hold()
    editor.open("x = \n")
    asked = editor.ask(0, 4)
    await wait_until(lambda: len(engine.requests) == 1)
    editor.cancel(asked)
    with pytest.raises(JsonRpcException) as caught:
        await asked
    assert caught.value.code == -32800
    await wait_until(lambda: engine.num_abandoned == 1)


async def test_only_what_is_probably_right_is_suggested_while_typing(
    editor: Editor, engine: FakeEngine
) -> None:
    engine.middle = "self.balance = owner"
    engine.leading_confidence = ((5, 0.9), (12, 0.7), (15, 0.5), (20, 0.2))
    editor.open("        \n")
    assert await editor.texts(0, 8) == ["self.balance ="]
    engine.leading_confidence = ((5, 0.9), (9, 0.6), (12, 0.1))
    assert await editor.texts(0, 8) == ["self."], "no half of a word"
    engine.leading_confidence = ((5, 0.1),)
    assert await editor.texts(0, 8) is None
    by_hand = types.InlineCompletionTriggerKind.Invoked
    items = await editor.ask(0, 8, trigger=by_hand)
    assert [item.insert_text for item in items] == ["self.balance = owner"]
    assert [request["least_confidence"] for request in engine.requests] == [0.5, 0.5, 0.5, 0.0]


async def test_a_newer_request_supersedes_the_older_with_null(
    editor: Editor, engine: FakeEngine
) -> None:
    engine.hold()
    editor.open("x = \n")
    older = editor.ask(0, 4)
    await wait_until(lambda: len(engine.requests) == 1)
    editor.type("1", 0, 4)
    newer = editor.ask(0, 5)
    assert await older is None
    await wait_until(lambda: engine.num_abandoned == 1)
    engine.release()
    assert [item.insert_text for item in await newer] == ["1"]


async def test_a_burst_of_keystrokes_is_answered_request_by_request(
    editor: Editor, engine: FakeEngine
) -> None:
    editor.open("x = \n")
    asked = []
    for idx in range(30):
        editor.type("a", 0, 4 + idx)
        asked.append(editor.ask(0, 5 + idx))
        if idx % 7 == 3:
            editor.cancel(asked[idx])
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [item.insert_text for item in answers[-1]] == ["1"]
    assert all(answer is None or isinstance(answer, list | JsonRpcException) for answer in answers)


async def test_documents_do_not_supersede_each_other(editor: Editor, engine: FakeEngine) -> None:
    engine.hold()
    uris = [f"file:///project/{name}.py" for name in "abc"]
    asked = []
    for uri in uris:
        editor.open("x = ", uri)
        asked.append(editor.ask(0, 4, uri))
    await wait_until(lambda: len(engine.requests) == 3)
    engine.release()
    answers = await asyncio.gather(*asked)
    assert [len(items) for items in answers] == [1, 1, 1]


async def test_an_answer_for_an_older_text_is_dropped(editor: Editor, engine: FakeEngine) -> None:
    engine.hold()
    editor.open("x = \n")
    asked = editor.ask(0, 4)
    await wait_until(lambda: len(engine.requests) == 1)
    editor.type("1", 0, 4)
    await editor.client.protocol.send_request_async("infill/status", {})  # the change is in
    engine.release()
    assert await asked is None


async def test_a_closed_document_is_answered_null(editor: Editor, engine: FakeEngine) -> None:
    engine.hold()
    editor.open("x = \n")
    asked = editor.ask(0, 4)
    await wait_until(lambda: len(engine.requests) == 1)
    editor.client.text_document_did_close(
        types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(URI))
    )
    assert await asked is None
    await wait_until(lambda: engine.num_abandoned == 1)


async def test_unknown_documents_and_far_positions(editor: Editor, engine: FakeEngine) -> None:
    assert await editor.texts(0, 0, "file:///nowhere.py") is None
    assert engine.requests == []
    editor.open("")
    assert await editor.texts(900, 900) == ["1"]
    assert (engine.requests[-1]["prefix"], engine.requests[-1]["suffix"]) == ("", "")


@pytest.mark.parametrize(
    ("text", "word"), [("x" * 2000, "2000"), ("\0ELF", "binary")], ids=["large", "binary"]
)
async def test_nothing_in_large_and_binary_documents(
    engine: FakeEngine, text: str, word: str
) -> None:
    options = {"engine": {"url": engine.url, "token": TOKEN}, "maxDocumentChars": 1000}
    async with running_editor(options) as editor:
        await editor.wait_for_status("ready")
        editor.open(text)
        assert await editor.texts(0, 1) is None
        assert await editor.texts(0, 1) is None
        withheld = [s for s in editor.statuses if s["state"] == "withheld"]
        assert len(withheld) == 1 and word in withheld[0]["message"]
        assert engine.requests == []


async def test_at_the_deadline_only_what_has_settled_is_offered(
    editor: Editor, engine: FakeEngine
) -> None:
    engine.middle, engine.settled_chars, engine.finish_reason = "alpha + bexq zzz", 9, "deadline"
    editor.open("x = ")
    assert await editor.texts(0, 4) == ["alpha +"]


async def test_settings_change_while_running(editor: Editor, engine: FakeEngine) -> None:
    editor.open("x = ")
    change = types.DidChangeConfigurationParams({"infill": {"deadlineMs": 77, "colour": "red"}})
    editor.client.workspace_did_change_configuration(change)
    await editor.texts(0, 4)
    assert engine.requests[-1]["deadline_ms"] == 77
    assert any('"colour"' in message.message for message in editor.client.messages)
    editor.client.workspace_did_change_configuration(
        types.DidChangeConfigurationParams({"infill": {"enabled": False}})
    )
    assert await editor.texts(0, 4) is None


async def test_malformed_messages_are_answered_and_survived(
    editor: Editor, engine: FakeEngine
) -> None:
    editor.open("x = ")
    for params in ({"position": {"line": 0}}, {"textDocument": 3}, [1, 2]):
        with pytest.raises(JsonRpcException):
            await editor.send_raw(types.TEXT_DOCUMENT_INLINE_COMPLETION, params)
    with pytest.raises(JsonRpcException):
        await editor.send_raw("textDocument/noSuchThing", {})
    editor.client.protocol.notify("$/noSuchThing", {"a": 1})
    editor.client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(5, "file:///never-opened.py"),
            [types.TextDocumentContentChangeWholeDocument("y")],
        )
    )
    assert await editor.texts(0, 4) == ["1"]


def test_requests_before_initialize_and_after_shutdown_are_refused() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lsp_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        params = {
            "textDocument": {"uri": URI},
            "position": {"line": 0, "character": 0},
            "context": {"triggerKind": 1},
        }
        early = _exchange(server, types.TEXT_DOCUMENT_INLINE_COMPLETION, params)
        assert early["error"]["code"] == types.ErrorCodes.ServerNotInitialized
        assert "traceback" not in str(early)
        initialize = {"processId": None, "rootUri": None, "capabilities": {}}
        assert "result" in _exchange(server, types.INITIALIZE, initialize)
        assert _exchange(server, types.TEXT_DOCUMENT_INLINE_COMPLETION, params)["result"] is None
        assert _exchange(server, types.SHUTDOWN, None)["result"] is None
        late = _exchange(server, types.TEXT_DOCUMENT_INLINE_COMPLETION, params)
        assert late["error"]["code"] == types.ErrorCodes.InvalidRequest
        _exchange(server, types.EXIT, None, is_request=False)
        assert server.wait(10) == 0


def _exchange(
    server: "subprocess.Popen[bytes]", method: str, params: object, is_request: bool = True
) -> dict[str, Any]:
    """Send one message without a client in between; return the answer to a request."""
    assert server.stdin is not None
    assert server.stdout is not None
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    body = json.dumps(message | ({"id": 1} if is_request else {})).encode()
    server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    server.stdin.flush()
    while is_request:
        headers = iter(server.stdout.readline, b"\r\n")
        lengths = [int(line.split(b":")[1]) for line in headers if line.startswith(b"Content-L")]
        answer = json.loads(server.stdout.read(lengths[0]))
        if "id" in answer:
            return answer
    return {}


async def test_no_code_reaches_logs_or_messages(
    engine: FakeEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    async with running_editor(options_for(engine, **PLAIN)) as editor:
        await editor.wait_for_status("ready")
        editor.open("s3cret_code = ")
        engine.middle = "s3cret_middle"
        assert await editor.texts(0, 14) == ["s3cret_middle"]
        with pytest.raises(JsonRpcException):
            await editor.send_raw(types.TEXT_DOCUMENT_INLINE_COMPLETION, {"textDocument": "s3cret"})
        engine.break_off = True
        assert await editor.texts(0, 14) is None
        said = [message.message for message in editor.client.log_messages]
        said += [message.message for message in editor.client.messages]
        said += [status["message"] for status in editor.statuses]
    captured = capfd.readouterr()
    assert "no suggestion" in captured.err  # it does log
    assert "s3cret" not in captured.err + captured.out + " ".join(said)
