"""One replica without Ray: the engine's own application, its end and its health."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from infill_cluster.deployments.engine_replica import EngineReplica
from infill_cluster.engine_call import (
    HEARTBEAT,
    AnswerHead,
    AnswerPart,
    EngineCall,
    call_application,
)
from infill_engine.api import CheckpointError
from tests.infill_cluster.conftest import PATIENCE_S, TalkativeEngine, body_of


def call(prefix: str) -> EngineCall:
    return EngineCall(
        "POST", "/v1/infill", (("content-type", "application/json"),), body_of(prefix)
    )


async def said(parts: AsyncIterator[AnswerPart]) -> list[AnswerPart]:
    """All parts but heartbeats."""
    return [part async for part in parts if part != HEARTBEAT]


async def test_an_answer_comes_part_by_part() -> None:
    replica = EngineReplica({}, {}, lambda _progress: TalkativeEngine())
    head, *chunks = await said(replica.answer(call("x")))
    assert isinstance(head, AnswerHead)
    assert (head.status_code, dict(head.headers)["content-type"]) == (
        200,
        "text/event-stream; charset=utf-8",
    )
    assert [bytes(chunk).split(b"\r\n")[0] for chunk in chunks] == [
        b"event: step",
        b"event: step",
        b"event: step",
        b"event: done",
    ]
    replica.check_health()


async def test_who_stops_listening_ends_the_request() -> None:
    replica = EngineReplica({}, {}, lambda _progress: TalkativeEngine())
    parts = replica.answer(call("SLOW"))
    while not isinstance(await anext(parts), AnswerHead):
        pass
    await anext(parts)
    assert replica.num_running() == 1
    await parts.aclose()
    async with asyncio.timeout(PATIENCE_S):
        while replica.num_running():
            await asyncio.sleep(0.01)


async def test_a_replica_whose_request_makes_no_step_notices() -> None:
    engine = TalkativeEngine()
    replica = EngineReplica({}, {"wedged_after_s": 0.2}, lambda _progress: engine)
    parts = replica.answer(call("STUCK"))
    while not isinstance(await anext(parts), AnswerHead):
        pass
    await anext(parts)
    async with asyncio.timeout(PATIENCE_S):
        while not replica.is_wedged():
            await asyncio.sleep(0.01)
    engine.release.set()
    assert (await said(parts))[-1].startswith(b"event: done")  # type: ignore[union-attr]
    assert not replica.is_wedged()


async def test_a_long_rest_is_no_wedge() -> None:
    replica = EngineReplica({}, {"wedged_after_s": 0.05}, lambda _progress: TalkativeEngine())
    await asyncio.sleep(0.2)
    assert not replica.is_wedged()
    async for _ in replica.answer(call("STEPS")):
        pass
    assert not replica.is_wedged()


def test_a_model_that_cannot_be_loaded_is_told() -> None:
    def load(_progress: Any) -> TalkativeEngine:
        raise CheckpointError("The folder /nowhere holds no config.json.")

    with pytest.raises(RuntimeError, match=r"no config\.json"):
        EngineReplica({}, {}, load)


async def test_nobody_calls_the_application_without_the_replica() -> None:
    replica = EngineReplica({}, {}, lambda _progress: TalkativeEngine())
    head, *_ = await said(call_application(replica._app, call("x"), 1.0))
    assert isinstance(head, AnswerHead)
    assert head.status_code == 401


async def test_what_fails_inside_an_application_is_raised() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await said(call_application(app, call("x"), 1.0))


async def test_an_application_that_takes_its_time_gives_signs_of_life() -> None:
    goes_on = asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await goes_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    parts = call_application(app, call("x"), 0.01)
    assert [await anext(parts) for _ in range(4)] == [HEARTBEAT] * 4
    goes_on.set()
    assert await said(parts) == [AnswerHead(200, ()), b"done"]
