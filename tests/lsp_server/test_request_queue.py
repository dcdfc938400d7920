"""The queue: every caller gets exactly one outcome, and the newest work wins."""

import asyncio
import random

import pytest

from lsp_server.request_queue import RequestQueue


class Work:
    """Work that waits to be released, and notes how it ended."""

    def __init__(self, result: str = "done") -> None:
        self.released = asyncio.Event()
        self.started = asyncio.Event()
        self.result = result
        self.was_closed = False

    async def __call__(self) -> str:
        self.started.set()
        try:
            await self.released.wait()
            return self.result
        finally:
            self.was_closed = True


async def test_the_result_is_returned() -> None:
    queue, work = RequestQueue(), Work()
    work.released.set()
    assert await queue.run("a", work) == "done"
    assert queue.num_running == 0


async def test_a_newer_call_supersedes_the_older_one_of_its_document_only() -> None:
    queue = RequestQueue()
    older, newer, other = Work(), Work("newer"), Work("other")
    calls = [
        asyncio.ensure_future(queue.run(key, work)) for key, work in (("a", older), ("b", other))
    ]
    await older.started.wait()
    calls.append(asyncio.ensure_future(queue.run("a", newer)))
    assert await calls[0] is None
    assert older.was_closed
    newer.released.set()
    other.released.set()
    assert await calls[1] == "other"
    assert await calls[2] == "newer"
    assert queue.num_running == 0


async def test_cancelling_the_caller_ends_the_work_first() -> None:
    queue, work = RequestQueue(), Work()
    call = asyncio.ensure_future(queue.run("a", work))
    await work.started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert work.was_closed
    assert queue.num_running == 0


async def test_superseding_by_hand_answers_none() -> None:
    queue, work = RequestQueue(), Work()
    call = asyncio.ensure_future(queue.run("a", work))
    await work.started.wait()
    queue.supersede("a")
    queue.supersede("nobody")
    assert await call is None


async def test_an_exception_reaches_its_caller_and_the_queue_goes_on() -> None:
    queue = RequestQueue()

    async def fails() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await queue.run("a", fails)
    work = Work()
    work.released.set()
    assert await queue.run("a", work) == "done"


@pytest.mark.parametrize("seed", range(20))
async def test_random_interleavings_answer_everyone_once(seed: int) -> None:
    rng = random.Random(seed)
    queue = RequestQueue()
    calls: list[tuple[asyncio.Task[str | None], Work]] = []
    for _ in range(60):
        action = rng.random()
        if action < 0.5 or not calls:
            work = Work()
            calls.append((asyncio.ensure_future(queue.run(rng.choice("abc"), work)), work))
        elif action < 0.7:
            rng.choice(calls)[0].cancel()
        elif action < 0.9:
            rng.choice(calls)[1].released.set()
        await asyncio.sleep(0)
    for _, work in calls:
        work.released.set()
    outcomes = await asyncio.gather(*(call for call, _ in calls), return_exceptions=True)
    assert all(
        outcome in ("done", None) or isinstance(outcome, asyncio.CancelledError)
        for outcome in outcomes
    )
    assert all(work.was_closed for _, work in calls if work.started.is_set())
    assert queue.num_running == 0
