"""Rewriting a selection, over stdio with a scripted engine."""

import asyncio
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.rewrite.order import RewriteRefused, read_order

from .editor import URI, Editor, running_editor, wait_until
from .fake_engine import TOKEN, FakeEngine

OTHER = "file:///project/src/b.py"
TEXT = "def f(a):\n    return a\n\nf(1)\n"


class Client:
    """What the editor's client is asked and told; it applies edits unless told not to."""

    def __init__(self, editor: Editor) -> None:
        self.edits: list[types.WorkspaceEdit] = []
        self.previews: list[Any] = []
        self.takes_edits = True

        @editor.client.feature(types.WORKSPACE_APPLY_EDIT)
        def on_edit(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.edits.append(params.edit)
            return types.ApplyWorkspaceEditResult(applied=self.takes_edits)

        @editor.client.feature("infill/rewritePreview")
        def on_preview(params: Any) -> None:
            self.previews.append(params)


def rewrite(editor: Editor, uri: str = URI, **more: Any) -> "asyncio.Future[Any]":
    argument = {
        "uri": uri,
        "range": {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 12}},
        **more,
    }
    params = {"command": "infill.rewriteSelection", "arguments": [argument]}
    return asyncio.ensure_future(editor.send_raw("workspace/executeCommand", params))


@pytest.mark.e2e
async def test_ends_in_one_versioned_edit(editor: Editor, engine: FakeEngine) -> None:
    client = Client(editor)
    engine.middle, engine.settled_chars = "return 2 * a", 6
    editor.open(TEXT)
    answer = await rewrite(editor, instruction="double it", version=1)
    assert answer.applied
    assert "follows no instructions" in answer.note
    request = engine.requests[-1]
    assert (request["mode"], request["selection"]) == ("rewrite", "return a")
    assert (request["prefix"], request["suffix"]) == ("def f(a):\n    ", "\n\nf(1)\n")
    assert request["instruction"] == "double it"
    assert request.get("draft", "") == "", "a model that fills gaps would copy it"
    ((change,),) = [edit.document_changes for edit in client.edits]
    assert change.text_document.version == 1
    ((edit,),) = [change.edits]
    assert edit.new_text == "return 2 * a"
    assert edit.range == types.Range(types.Position(1, 4), types.Position(1, 12))
    assert [(p.sequence, p.text, p.settledLength, p.done) for p in client.previews] == [
        (0, "return 2 * a", 6, False),
        (1, "return 2 * a", 12, True),
    ]


@pytest.mark.e2e
async def test_a_model_that_follows_instructions_begins_from_the_selection(
    engine: FakeEngine,
) -> None:
    engine.details = {"prompt": "ChatPrompt"}
    async with running_editor({"engine": {"url": engine.url, "token": TOKEN}}) as editor:
        await editor.wait_for_status("ready")
        Client(editor)
        editor.open(TEXT)
        answer = await rewrite(editor, instruction="double it", strength=0.4)
    assert (answer.applied, answer.note) == (True, "")
    assert engine.requests[-1]["draft"] == "return a"
    assert engine.requests[-1]["draft_strength"] == 0.4


@pytest.mark.e2e
async def test_another_try_is_drawn_by_chance(editor: Editor, engine: FakeEngine) -> None:
    Client(editor)
    editor.open(TEXT)
    await rewrite(editor, apply=False)
    first = engine.requests[-1]
    assert first["temperature"] is None
    await rewrite(editor, apply=False, seed=3)
    again = engine.requests[-1]
    assert again["seed"] == 3
    assert again["temperature"] > 0


@pytest.mark.e2e
async def test_crlf_documents_get_crlf(editor: Editor, engine: FakeEngine) -> None:
    client = Client(editor)
    engine.middle = "x = a\n    return x"
    editor.open(TEXT.replace("\n", "\r\n"))
    await rewrite(editor)
    assert client.edits[0].document_changes[0].edits[0].new_text == "x = a\r\n    return x"


@pytest.mark.e2e
async def test_only_tells_the_text_to_a_plugin_that_asks_its_user(
    editor: Editor, engine: FakeEngine
) -> None:
    client = Client(editor)
    engine.middle = "x = a\n    return x"
    editor.open(TEXT.replace("\n", "\r\n"))
    answer = await rewrite(editor, apply=False)
    assert (answer.applied, answer.text, answer.version) == (False, "x = a\r\n    return x", 1)
    assert client.edits == []
    engine.middle = "return a"
    answer = await rewrite(editor, apply=False)
    assert (answer.applied, answer.reason) == (
        False,
        "The model would leave the selection as it is.",
    )
    assert editor.client.messages == [], "the plugin says why"


@pytest.mark.e2e
async def test_refused_when_the_document_moved_on(editor: Editor, engine: FakeEngine) -> None:
    client = Client(editor)
    engine.hold()
    editor.open(TEXT)
    answer = rewrite(editor)
    await wait_until(lambda: bool(client.previews))
    editor.type("#", 3, 0)
    await editor.send_raw("infill/status", {})  # by its answer the change has arrived
    engine.release()
    result = await answer
    assert not result.applied
    assert "changed while" in result.reason
    assert client.edits == []
    await wait_until(lambda: any("changed while" in m.message for m in editor.client.messages))
    with pytest.raises(JsonRpcException, match="version 1 of the document, which is at 2"):
        await rewrite(editor, version=1)


@pytest.mark.e2e
async def test_documents_side_by_side_and_cancel(editor: Editor, engine: FakeEngine) -> None:
    client = Client(editor)
    engine.hold()
    editor.open(TEXT)
    editor.open(TEXT, uri=OTHER)
    first, second = rewrite(editor), rewrite(editor, uri=OTHER)
    await wait_until(lambda: len({p.uri for p in client.previews}) == 2)
    params = {"command": "infill.cancelRewrite", "arguments": [URI]}
    await editor.send_raw("workspace/executeCommand", params)
    assert (await first).reason == "cancelled"
    engine.release()
    assert (await second).applied
    assert [edit.document_changes[0].text_document.uri for edit in client.edits] == [OTHER]


@pytest.mark.e2e
async def test_an_edit_the_editor_refuses_is_reported(editor: Editor) -> None:
    client = Client(editor)
    client.takes_edits = False
    editor.open(TEXT)
    result = await rewrite(editor)
    assert not result.applied
    assert result.reason == "The editor did not take the edit; nothing was replaced."


@pytest.mark.e2e
async def test_offered_for_a_selection_only(editor: Editor) -> None:
    editor.open(TEXT)

    async def titles(end: int, only: list[str] | None) -> list[str]:
        params: dict[str, Any] = {
            "textDocument": {"uri": URI},
            "range": {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": end}},
            "context": {"diagnostics": [], **({"only": only} if only else {})},
        }
        actions = await editor.send_raw("textDocument/codeAction", params)
        return [action["kind"] for action in actions or []]

    assert await titles(12, None) == ["refactor.rewrite"]
    assert await titles(12, ["refactor"]) == ["refactor.rewrite"]
    assert await titles(12, ["quickfix"]) == []
    assert await titles(4, None) == []


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({}, "uri is missing"),
        ({"uri": "a"}, "range is missing"),
        ({"uri": "a", "range": {"start": {"line": 1}}}, "range.start must have"),
        ({"uri": "a", "rang": {}}, "rang is unknown; known are uri"),
        ({"uri": "a", "instruction": "x" * 10_001}, "at most 10000"),
        ({"uri": "a", "strength": 0}, "range is missing"),
    ],
)
def test_wrong_arguments_are_named(argument: dict[str, Any], message: str) -> None:
    with pytest.raises(RewriteRefused, match=message):
        read_order([argument])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("strength", 0, "above 0 and up to 1"),
        ("strength", True, "above 0 and up to 1"),
        ("version", "1", "version must be a whole number"),
        ("seed", 0.5, "seed must be a whole number"),
        ("apply", 1, "apply must be true or false"),
    ],
)
def test_wrong_values_are_named(field: str, value: object, message: str) -> None:
    where = {"start": {"line": 3, "character": 2}, "end": {"line": 1, "character": 0}}
    with pytest.raises(RewriteRefused, match=message):
        read_order([{"uri": "a", "range": where, field: value}])
    order = read_order([{"uri": "a", "range": where}])
    assert order.range.start.line == 1, "ends are put in order"
