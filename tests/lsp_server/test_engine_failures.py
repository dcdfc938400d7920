"""What the editor sees when the engine is missing, loading, broken or killed: null and a status."""

import asyncio

import pytest

from .editor import GIVE_UP_S, Editor, running_editor, wait_until
from .fake_engine import TOKEN, FakeEngine

pytestmark = pytest.mark.e2e


async def test_while_the_model_loads_the_answer_is_null(engine: FakeEngine) -> None:
    engine.status = "loading"
    async with running_editor({"engine": {"url": engine.url, "token": TOKEN}}) as editor:
        editor.open("x = ")
        await wait_until(lambda: any("50%" in s["message"] for s in editor.statuses))
        assert await editor.texts(0, 4) is None
        engine.status = "ready"
        await editor.wait_for_status("ready")
        assert await editor.texts(0, 4) == ["1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": {"url": "http://127.0.0.1:9", "token": TOKEN}}, "No engine answers"),
        ({"engine": {"url": "http://example.invalid", "token": TOKEN}}, "https"),
    ],
)
async def test_an_engine_that_is_not_there(options: dict[str, object], words: str) -> None:
    async with running_editor(options) as editor:
        status = await editor.wait_for_status("unavailable")
        assert words in status["message"]
        editor.open("x = ")
        assert await editor.texts(0, 4) is None


async def test_a_model_that_can_not_be_loaded(engine: FakeEngine) -> None:
    engine.status = "failed"
    async with running_editor({"engine": {"url": engine.url, "token": TOKEN}}) as editor:
        status = await editor.wait_for_status("unavailable")
        assert status["message"] == "There is no model."
        editor.open("x = ")
        assert await editor.texts(0, 4) is None


async def test_killed_in_mid_request_then_back(editor: Editor, engine: FakeEngine) -> None:
    engine.hold()
    editor.open("x = ")
    asked = editor.ask(0, 4)
    await wait_until(lambda: len(engine.requests) == 1)
    num_statuses = len(editor.statuses)
    engine.kill()
    assert await asked is None
    await editor.wait_for_status("unavailable", after=num_statuses)
    engine.release()
    engine.start()
    await _ask_until_answered(editor)
    assert editor.statuses[-1]["state"] == "ready"


async def test_an_engine_that_falls_silent_is_not_waited_for(engine: FakeEngine) -> None:
    engine.hold()
    engine.middle = "self.total"
    options = {"engine": {"url": engine.url, "token": TOKEN}, "deadlineMs": 50}
    async with running_editor(options) as editor:
        await editor.wait_for_status("ready")
        editor.open("x = \n")
        assert await editor.texts(0, 4) == ["self."], "what had settled, in whole words"
        await wait_until(lambda: engine.num_abandoned == 1)


async def test_killed_between_requests_then_back(editor: Editor, engine: FakeEngine) -> None:
    editor.open("x = ")
    assert await editor.texts(0, 4) == ["1"]
    engine.kill()
    assert await editor.texts(0, 4) is None
    engine.start()
    await _ask_until_answered(editor)


async def test_broken_off_in_mid_answer(editor: Editor, engine: FakeEngine) -> None:
    engine.break_off = True
    editor.open("x = ")
    assert await editor.texts(0, 4) is None
    await editor.wait_for_status("unavailable")
    engine.break_off = False
    await _ask_until_answered(editor)


@pytest.mark.parametrize(
    "refusal", [(503, "engine_busy"), (413, "request_too_large"), (500, "internal")]
)
async def test_a_refused_request_is_null_and_nothing_else(
    editor: Editor, engine: FakeEngine, refusal: tuple[int, str]
) -> None:
    num_statuses = len(editor.statuses)
    engine.refuse_with = refusal
    editor.open("x = ")
    assert await editor.texts(0, 4) is None
    engine.refuse_with = None
    assert await editor.texts(0, 4) == ["1"]
    assert len(editor.statuses) == num_statuses


async def test_the_server_ends_while_the_engine_is_loading(engine: FakeEngine) -> None:
    engine.status = "loading"
    async with running_editor({"engine": {"url": engine.url, "token": TOKEN}}) as editor:
        await editor.wait_for_status("starting")
        asked = editor.ask(0, 0)
    assert asked.done() or asked.cancel()
    server = editor.client._server
    assert server is not None and server.returncode == 0


async def _ask_until_answered(editor: Editor) -> None:
    """Back-off decides when the engine is looked for again: ask as a typing user does."""
    async with asyncio.timeout(GIVE_UP_S):
        while (texts := await editor.texts(0, 4)) is None:
            await asyncio.sleep(0.05)
    assert texts == ["1"]
