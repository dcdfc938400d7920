"""What a client is told while a request converges, over stdio with a scripted engine."""

import asyncio
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from .editor import PLAIN, URI, Editor, options_for, running_editor, wait_until
from .fake_engine import FakeEngine

pytestmark = pytest.mark.e2e


def listen(editor: Editor) -> list[Any]:
    updates: list[Any] = []

    @editor.client.feature("infill/update")
    def on_update(params: Any) -> None:
        updates.append(params)

    return updates


def stream_params(line: int, character: int, **more: Any) -> dict[str, Any]:
    return {
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2},
        "token": "t-1",
        **more,
    }


async def test_updates_before_the_answer(editor: Editor, engine: FakeEngine) -> None:
    updates = listen(editor)
    engine.middle, engine.settled_chars = "f'😀' + b", 4
    engine.token_chars = (2, 2, 4, 0)
    engine.hold()
    editor.open("x = \n")
    answer = asyncio.ensure_future(editor.send_raw("infill/stream", stream_params(0, 4)))
    await wait_until(lambda: bool(updates))
    assert not answer.done()
    engine.release()
    (item,) = await answer
    assert item["insertText"] == "f'😀' + b"
    first, last = updates
    assert (first.token, first.sequence, first.version) == ("t-1", 0, 1)
    # Four characters are five UTF-16 units.
    assert (first.text, first.settledLength, first.done) == ("f'😀' + b", 5, False)
    assert first.confidence == [pytest.approx(0.9048)]
    assert (first.step, first.accepted) == (0, 1)
    assert first.tokenLengths == [2, 3, 4, 0]
    assert first.stable == "f'😀'"
    assert (last.sequence, last.text, last.done) == (1, "f'😀' + b", True)
    assert (last.stable, last.reason, last.message) == ("f'😀' + b", None, None)


async def test_a_superseded_stream_ends_with_nothing(editor: Editor, engine: FakeEngine) -> None:
    updates = listen(editor)
    engine.hold()
    editor.open("x = \n")
    older = asyncio.ensure_future(editor.send_raw("infill/stream", stream_params(0, 4)))
    await wait_until(lambda: bool(updates))
    newer = asyncio.ensure_future(editor.send_raw("infill/stream", stream_params(0, 4, token=2)))
    assert await older is None
    engine.release()
    assert await newer is not None
    assert [(u.token, u.text, u.reason) for u in updates if u.done] == [
        ("t-1", "", "superseded"),
        (2, "1", None),
    ]


async def test_says_why_there_is_nothing(engine: FakeEngine) -> None:
    options = options_for(engine, **{**PLAIN, "inStrings": False})
    async with running_editor(options) as editor:
        await editor.wait_for_status("ready")
        updates = listen(editor)
        editor.open("x = 'word'\n")
        assert await editor.send_raw("infill/stream", stream_params(0, 7)) is None
        await wait_until(lambda: bool(updates))
    (only,) = updates
    assert (only.done, only.text, only.reason) == (True, "", "in_string")
    assert only.message == "The cursor stands in a string."


async def test_what_was_told_to_be_stable_is_in_the_answer(
    editor: Editor, engine: FakeEngine
) -> None:
    updates = listen(editor)
    engine.middle, engine.settled_chars = "first + second", 8
    engine.hold()
    editor.open("x = \n")
    answer = asyncio.ensure_future(editor.send_raw("infill/stream", stream_params(0, 4)))
    await wait_until(lambda: bool(updates))
    assert updates[0].stable == "first +"
    engine.middle = "last"  # as when the end makes a rule drop what it took for good before
    engine.release()
    (item,) = await answer
    assert item["insertText"] == "first +"


@pytest.mark.parametrize("without", ["token", "position", "textDocument"])
async def test_what_is_missing_is_an_error(editor: Editor, without: str) -> None:
    params = stream_params(0, 4)
    del params[without]
    with pytest.raises(JsonRpcException):
        await editor.send_raw("infill/stream", params)
    editor.open("x = \n")
    assert await editor.texts(0, 4) == ["1"], "the server goes on"


async def test_partial_results_hold_what_has_settled(editor: Editor, engine: FakeEngine) -> None:
    partial: list[Any] = []
    editor.client.protocol.fm.features.pop(types.PROGRESS, None)

    @editor.client.feature(types.PROGRESS)
    def on_progress(params: types.ProgressParams) -> None:
        partial.append(params.value)

    engine.middle, engine.settled_chars = "first + sec", 9
    engine.hold()
    editor.open("x = \n")
    params = stream_params(0, 4, partialResultToken="p")
    del params["token"]
    answer = asyncio.ensure_future(editor.send_raw("textDocument/inlineCompletion", params))
    await wait_until(lambda: bool(partial))
    engine.release()
    (item,) = await answer
    assert item["insertText"] == "first + sec"
    ((told,),) = partial
    assert told["insertText"] == "first +", "no word is cut in two"


async def test_work_done_progress_begins_and_ends(editor: Editor, engine: FakeEngine) -> None:
    told: list[Any] = []
    editor.client.protocol.fm.features.pop(types.PROGRESS, None)

    @editor.client.feature(types.PROGRESS)
    def on_progress(params: types.ProgressParams) -> None:
        told.append(params.value)

    editor.open("x = \n")
    params = stream_params(0, 4, workDoneToken="w")
    del params["token"]
    await editor.send_raw("textDocument/inlineCompletion", params)
    await wait_until(lambda: len(told) == 3)
    assert [value["kind"] for value in told] == ["begin", "report", "end"]


async def test_vs_code_is_given_the_line_from_its_start(engine: FakeEngine) -> None:
    engine.middle = "f('b')"
    options = options_for(engine, **PLAIN)
    async with running_editor(options, client_name="Visual Studio Code") as editor:
        await editor.wait_for_status("ready")
        editor.open("😀 = \n")
        params = stream_params(0, 5)
        for method in ("infill/stream", types.TEXT_DOCUMENT_INLINE_COMPLETION):
            (item,) = await editor.send_raw(method, params)
            assert item["insertText"] == "😀 = f('b')"
            assert item["range"]["start"] == {"line": 0, "character": 0}
            assert item["range"]["end"] == {"line": 0, "character": 5}
