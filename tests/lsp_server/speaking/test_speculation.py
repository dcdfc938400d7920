"""Speculation: what is started, joined and ended, with a sleep that the test lets go."""

import asyncio

import pytest

from lsp_server.speaking.gap import Gap
from lsp_server.speaking.neighbours import Remembered
from lsp_server.speaking.speculation import Speculation

A, B = "file:///a.py", "file:///b.py"
GAP = Gap("x = 1", "\n")


class Desk:
    """Speculation with a reader and an engine that wait to be let go."""

    def __init__(self) -> None:
        self.has_been_read = asyncio.Event()
        self.engine = asyncio.Event()
        self.filled: list[tuple[str, Gap, Remembered]] = []
        self.asked: list[str] = []
        self.num_ended = 0
        self.answer: Remembered | None = Remembered("\ny = 2")
        self.speculation = Speculation(
            self.fill, lambda *found: self.filled.append(found), lambda _: self.has_been_read.wait()
        )

    async def fill(self, uri: str, gap: Gap) -> Remembered | None:
        self.asked.append(uri)
        try:
            await self.engine.wait()
        finally:
            self.num_ended += 1
        if self.answer is None:
            raise ValueError("the engine failed")
        return self.answer


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_engine_is_asked_once_the_suggestion_is_being_read() -> None:
    desk = Desk()
    desk.speculation.start(A, GAP)
    await settle()
    assert desk.asked == []
    desk.has_been_read.set()
    await settle()
    assert desk.speculation.is_running(A, GAP)
    assert not desk.speculation.is_running(A, Gap("x", "\n"))
    desk.engine.set()
    await desk.speculation.join(A)
    assert desk.filled == [(A, GAP, Remembered("\ny = 2"))]
    assert desk.speculation.num_running == 0
    await desk.speculation.join(A)  # nothing runs: returns


async def test_one_per_document_and_anything_ends_all() -> None:
    desk = Desk()
    desk.has_been_read.set()
    desk.speculation.start(A, Gap("old", ""))
    await settle()
    desk.speculation.start(A, GAP)
    desk.speculation.start(B, GAP)
    await settle()
    assert desk.speculation.num_running == 2
    assert desk.num_ended == 1
    desk.speculation.cancel_all()
    await settle()
    assert (desk.num_ended, desk.speculation.num_running, desk.filled) == (3, 0, [])


async def test_failures_and_empty_answers_are_nobody_s_business() -> None:
    desk = Desk()
    desk.has_been_read.set()
    desk.engine.set()
    for answer in (None, Remembered("")):
        desk.answer = answer
        desk.speculation.start(A, GAP)
        await desk.speculation.join(A)
    assert (desk.filled, desk.speculation.num_running) == ([], 0)


async def test_cancelling_who_joined_ends_the_guess() -> None:
    desk = Desk()
    desk.has_been_read.set()
    desk.speculation.start(A, GAP)
    await settle()
    joined = asyncio.ensure_future(desk.speculation.join(A))
    await settle()
    joined.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joined
    await settle()
    assert (desk.num_ended, desk.speculation.num_running) == (1, 0)
