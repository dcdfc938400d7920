"""What a long day brings: kills, huge lines, many documents, thousands of requests."""

import asyncio
import random

import psutil
import pytest
from lsprotocol import types

from .editor import Editor, wait_until
from .fake_engine import FakeEngine

pytestmark = pytest.mark.e2e

_MIB = 1 << 20


def server_process(editor: Editor) -> psutil.Process:
    process = editor.client._server
    assert process is not None
    return psutil.Process(process.pid)


async def test_an_engine_killed_fifty_times(editor: Editor, engine: FakeEngine) -> None:
    """In mid-request and between requests; every request is answered, and it comes back."""
    editor.open("x = \n")
    pick = random.Random(0)
    for _ in range(50):
        asked = []
        if pick.random() < 0.5:
            engine.hold()
            num_requests = len(engine.requests)
            asked.append(editor.ask(0, 4))
            await wait_until(lambda n=num_requests: len(engine.requests) > n or asked[0].done())
        engine.kill()
        asked.append(editor.ask(0, 4))
        engine.release()
        engine.start()
        for answer in asked:
            items = await answer
            assert items is None or items[0].insert_text == "1"

    async def answers() -> None:
        while await editor.texts(0, 4) != ["1"]:
            await asyncio.sleep(0.05)

    async with asyncio.timeout(90):  # the longest back-off is a minute
        await answers()


async def test_a_line_of_a_million_characters(editor: Editor, engine: FakeEngine) -> None:
    editor.open("x = [" + "1, " * 333_333 + "\n")
    editor.type("2", 0, 500_004)  # behind a number and before a comma
    assert await editor.texts(0, 500_005) == ["1"]
    assert len(engine.requests[-1]["prefix"]) <= 200_000


async def test_twenty_documents_at_once(editor: Editor, engine: FakeEngine) -> None:
    engine.hold()
    uris = [f"file:///project/src/m{i}.py" for i in range(20)]
    for i, uri in enumerate(uris):
        editor.open(f"x{i} = \n", uri=uri)
    asked = [editor.ask(0, len(f"x{i} = "), uri=uri) for i, uri in enumerate(uris)]
    await wait_until(lambda: len(engine.requests) == len(uris))
    engine.release()
    answers = await asyncio.gather(*asked)
    assert [items[0].insert_text for items in answers] == ["1"] * len(uris)
    assert {request["prefix"] for request in engine.requests} == {f"x{i} = " for i in range(20)}


async def test_memory_stays_flat_over_five_thousand_requests(
    editor: Editor, engine: FakeEngine
) -> None:
    """Typing, asking and taking back, so that every text is a new one."""
    editor.open("x = \n")

    async def type_and_ask(num_times: int) -> None:
        for i in range(num_times):
            editor.type(str(i % 10), 0, 4)
            await editor.ask(0, 5, trigger=types.InlineCompletionTriggerKind.Invoked)
            editor.take_back(0, 4, 5)

    await type_and_ask(1_000)
    engine.requests.clear()
    before = server_process(editor).memory_info().rss
    await type_and_ask(4_000)
    grown = server_process(editor).memory_info().rss - before
    assert grown < 16 * _MIB, f"{grown / _MIB:.1f} MiB more"
