"""When the server speaks and what it remembers, over stdio with a scripted engine."""

import json
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from lsp_server.completion_fallback import must_offer_at_once
from lsp_server.speaking.recording import read_recording

from .editor import URI, Editor, options_for, running_editor, wait_until
from .fake_engine import TOKEN, FakeEngine

pytestmark = pytest.mark.e2e

QUICK = {"speculate": False, "debounce": {"maxMs": 0}}
INVOKED = types.InlineCompletionTriggerKind.Invoked


async def test_typing_what_is_shown_asks_no_model(engine: FakeEngine) -> None:
    engine.middle = "total + 1"
    async with running_editor(options_for(engine, **QUICK)) as editor:
        await editor.wait_for_status("ready")
        editor.open("x = \n")
        assert await editor.texts(0, 4) == ["total + 1"]
        for idx, char in enumerate("total"):
            editor.type(char, 0, 4 + idx)
            assert await editor.texts(0, 5 + idx) == ["total + 1"[idx + 1 :]]
        editor.take_back(0, 8, 9)
        assert await editor.texts(0, 8) == ["l + 1"]
        assert len(engine.requests) == 1
        engine.middle = "other"
        editor.type("?", 0, 8)
        assert await editor.texts(0, 9) == ["other"], "what does not agree is a new question"
        assert len(engine.requests) == 2


async def test_the_place_behind_a_suggestion_is_filled_while_it_is_read(
    engine: FakeEngine,
) -> None:
    engine.middle = "total"
    async with running_editor(options_for(engine, debounce={"maxMs": 0})) as editor:
        await editor.wait_for_status("ready")
        editor.open("x = \n")
        assert await editor.texts(0, 4) == ["total"]
        await wait_until(lambda: len(engine.requests) == 2)
        assert engine.requests[1]["prefix"] == "x = total"


async def test_quiet_after_a_deletion_and_inside_comments_unless_asked(engine: FakeEngine) -> None:
    async with running_editor(options_for(engine, **QUICK)) as editor:
        await editor.wait_for_status("ready")
        editor.open("x = ab\n# a note\n")
        editor.take_back(0, 5, 6)
        assert await editor.texts(0, 5) is None
        assert await editor.texts(1, 8) is None
        assert engine.requests == []
        (item,) = await editor.ask(0, 5, trigger=INVOKED)
        assert item.insert_text == "1"


@pytest.mark.parametrize("name", [".env", "id_rsa", "package-lock.json"])
async def test_secret_and_generated_files_are_never_sent(engine: FakeEngine, name: str) -> None:
    async with running_editor(options_for(engine, **QUICK)) as editor:
        await editor.wait_for_status("ready")
        uri = f"file:///project/{name}"
        editor.open("KEY=\n", uri=uri, language_id="plaintext")
        editor.open("x = KEY\ny = \n")
        assert await editor.texts(0, 4, uri=uri) is None
        assert (await editor.wait_for_status("withheld"))["message"].startswith(name)
        assert await editor.texts(1, 4) == ["1"]
        assert "KEY=" not in json.dumps(engine.requests)


async def test_definitions_in_other_open_files_are_shown_to_the_model(engine: FakeEngine) -> None:
    async with running_editor(options_for(engine, **QUICK)) as editor:
        await editor.wait_for_status("ready")
        other = "file:///project/src/shapes.py"
        editor.open("def area_of(width, height):\n    return width * height\n", uri=other)
        editor.open("from shapes import area_of\n\n\ndef f():\n    return area_of(\n")
        await editor.texts(4, 19)
        (snippet,) = [s for s in engine.requests[-1]["snippets"] if s["path"] == "src/shapes.py"]
        assert "def area_of(width, height)" in snippet["text"]


async def test_a_selected_menu_item_is_extended_in_its_range(engine: FakeEngine) -> None:
    engine.middle = "(values)"
    async with running_editor(options_for(engine, **QUICK)) as editor:
        await editor.wait_for_status("ready")
        editor.open("x = so\n")
        where = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 6}}
        (item,) = await editor.send_raw(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": URI},
                "position": {"line": 0, "character": 6},
                "context": {
                    "triggerKind": 2,
                    "selectedCompletionInfo": {"range": where, "text": "sorted"},
                },
            },
        )
        assert item["insertText"] == "sorted(values)"
        assert item["range"] == where
        assert engine.requests[-1]["prefix"] == "x = sorted"


async def test_what_is_accepted_is_counted(engine: FakeEngine, tmp_path: Path) -> None:
    engine.middle = "total"
    env = {"INFILL_LS_STATE_DIR": str(tmp_path)}
    async with running_editor(options_for(engine, **QUICK), env=env) as editor:
        await editor.wait_for_status("ready")
        editor.open("x = \n")
        (item,) = await editor.ask(0, 4)
        command = item.command
        assert command.command == "infill.didAccept"
        params = {"command": command.command, "arguments": command.arguments}
        await editor.send_raw("workspace/executeCommand", params)
        notify(editor, "infill/didPartiallyAccept", {"uri": URI, "acceptedLength": 3})
        notify(editor, "infill/didShow", {"uri": URI})
    counts: dict[str, Any] = json.loads((tmp_path / "stats.json").read_text())["counts"]
    assert counts["accepted"] == 1
    assert counts["partially_accepted"] == 1
    assert counts["accepted_chars"] == 8
    assert counts["shown"] == 2
    log = (tmp_path / "requests.jsonl").read_text()
    assert json.loads(log.splitlines()[0])["outcome"] == "model"
    assert "total" not in log, "never code"


def notify(editor: Editor, method: str, params: dict[str, Any]) -> None:
    editor.client.protocol._send_data({"jsonrpc": "2.0", "method": method, "params": params})


async def test_what_is_recorded_can_be_played_back(engine: FakeEngine, tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    async with running_editor(options_for(engine, **QUICK, record=str(path))) as editor:
        await editor.wait_for_status("ready")
        editor.open("x = \n")
        editor.type("y", 0, 4)
        await editor.texts(0, 5)
        editor.take_back(0, 4, 5)
        await editor.texts(0, 4)
    head, events = read_recording(path)
    assert head["encoding"] == "utf-16"
    assert [event["event"] for event in events] == [
        "open",
        "change",
        "ask",
        "answer",
        "change",
        "ask",
        "answer",
    ]
    assert events[3]["text"] == "1"
    assert events[6] == {**events[6], "text": None, "reason": "after_deletion"}
    assert TOKEN not in path.read_text()


async def test_the_completion_menu_where_it_is_wished(engine: FakeEngine) -> None:
    registered: list[str] = []

    def prepare(editor: Editor) -> None:
        @editor.client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def on_register(params: types.RegistrationParams) -> None:
            registered.extend(one.method for one in params.registrations)

    engine.middle = "total\n+ 1"
    completion = types.CompletionClientCapabilities(dynamic_registration=True)
    options = options_for(engine, **QUICK, completionFallback=True)
    async with running_editor(
        options,
        prepare=prepare,
        text_document=types.TextDocumentClientCapabilities(completion=completion),
    ) as editor:
        await editor.wait_for_status("ready")
        await wait_until(lambda: types.TEXT_DOCUMENT_COMPLETION in registered)
        editor.open("x = \n")
        where = {"line": 0, "character": 4}
        params = {"textDocument": {"uri": URI}, "position": where}
        found = await editor.send_raw(types.TEXT_DOCUMENT_COMPLETION, params)
        assert found.isIncomplete
        (item,) = found.items
        assert (item.label, item.textEdit.newText) == ("total", "total")
        assert (item.textEdit.range.start.character, item.textEdit.range.end.character) == (4, 4)


async def test_the_menu_where_a_client_can_only_be_told_at_the_start(engine: FakeEngine) -> None:
    engine.middle = "tal + 1"
    async with running_editor(options_for(engine, **QUICK, completionFallback=True)) as editor:
        assert editor.capabilities.completion_provider is not None
        await editor.wait_for_status("ready")
        editor.open("# 😀\n漢_to\n")
        params = {"textDocument": {"uri": URI}, "position": {"line": 1, "character": 4}}
        found = await editor.send_raw(types.TEXT_DOCUMENT_COMPLETION, params)
        (item,) = found.items
        # Stands for the whole word: menus drop what does not begin with it.
        assert item.label == item.filterText == item.textEdit.newText == "漢_total + 1"
        assert (item.textEdit.range.start.character, item.textEdit.range.end.character) == (0, 4)
        assert item.command.arguments == [URI, len("tal + 1")]


@pytest.mark.parametrize(
    ("options", "is_offered"),
    [
        ({"infill": {"completionFallback": True}}, True),
        ({"infill.completionFallback": True}, True),
        ({"completionFallback": False}, False),
        (["completionFallback"], False),
    ],
)
def test_the_menu_is_asked_for_in_every_way_settings_are_written(
    options: object, is_offered: bool
) -> None:
    capabilities = types.ClientCapabilities()
    params = types.InitializeParams(capabilities, initialization_options=options)
    assert must_offer_at_once(params) is is_offered


async def test_no_completion_menu_unasked(engine: FakeEngine) -> None:
    async with running_editor(options_for(engine, **QUICK)) as editor:
        assert editor.capabilities.completion_provider is None
