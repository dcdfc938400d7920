"""Starting, losing and restarting the engine, with a clock that is turned by hand."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from infill_engine.api import (
    ConfigError,
    EngineBusy,
    EngineUnavailable,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
)
from lsp_server.engine_connection import (
    LONGEST_BACK_OFF_S,
    EngineConnection,
    EngineStatus,
    Report,
)

REQUEST = InfillRequest("x = ", "")
RESULT = InfillResult("1", "converged", 1, 1, 1, 0, 1, 0.1)


class Link:
    """One engine; dies with `error` when it has one."""

    def __init__(self, notice: object) -> None:
        self.error: InfillError | None = None
        self.is_closed = False
        self.document_ids: list[str] = []
        self.num_streams_closed = 0
        self.notice = notice

    async def details(self) -> dict[str, Any]:
        return {"prompt": "SpmPrompt", "notice": self.notice}

    async def stream(
        self, request: InfillRequest, document_id: str
    ) -> AsyncIterator[InfillUpdate | InfillResult]:
        self.document_ids.append(document_id)
        try:
            yield InfillUpdate(0, 0, "1", 0, (), 0)
            if self.error:
                raise self.error
            yield RESULT
        finally:
            self.num_streams_closed += 1

    async def aclose(self) -> None:
        self.is_closed = True


class Harness:
    """A connection with everything around it scripted."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.notice: object = ""
        self.links: list[Link] = []
        self.num_connects = 0
        self.connect_error: Exception | None = None
        self.statuses: list[EngineStatus] = []
        self.connection = EngineConnection(
            self._connect, self.statuses.append, clock=lambda: self.now_s
        )

    async def _connect(self, report: Report) -> Link:
        self.num_connects += 1
        report("Reading the model.", 40)
        if self.connect_error:
            raise self.connect_error
        self.links.append(Link(self.notice))
        return self.links[-1]

    async def ready(self) -> Link:
        self.connection.start()
        await self.connection.wait_until_settled()
        return self.links[-1]

    async def ask(self) -> InfillResult | None:
        async with aclosing(self.connection.stream(REQUEST, "file:///home/ada/a.py")) as events:
            async for event in events:
                if isinstance(event, InfillResult):
                    return event
        return None


async def test_the_status_tells_of_every_stage_once() -> None:
    harness = Harness()
    await harness.ready()
    harness.connection.start()
    assert [(s.state, s.message, s.percent) for s in harness.statuses] == [
        ("starting", "The engine is starting.", None),
        ("starting", "Reading the model.", 40),
        ("ready", "The engine is ready.", None),
    ]
    assert await harness.ask() == RESULT
    assert harness.num_connects == 1


@pytest.mark.parametrize(
    ("notice", "message"),
    [
        ("Code goes to X.", "The engine is ready. Code goes to X."),
        ("", "The engine is ready."),
        (7, "The engine is ready."),
    ],
)
async def test_the_status_says_where_code_goes(notice: object, message: str) -> None:
    harness = Harness()
    harness.notice = notice
    await harness.ready()
    assert harness.statuses[-1].message == message


async def test_a_request_before_it_is_ready_is_refused_and_starts_it() -> None:
    harness = Harness()
    with pytest.raises(EngineUnavailable):
        await harness.ask()
    await harness.connection.wait_until_settled()
    assert await harness.ask() == RESULT
    assert harness.num_connects == 1


@pytest.mark.parametrize("error", [EngineUnavailable("Gone."), ConfigError("Not that token.")])
async def test_an_engine_that_dies_once_is_started_again_at_once(error: InfillError) -> None:
    harness = Harness()
    link = await harness.ready()
    link.error = error
    with pytest.raises(type(error)):
        await harness.ask()
    await harness.connection.wait_until_settled()
    assert link.is_closed
    assert await harness.ask() == RESULT
    assert [s.state for s in harness.statuses[3:]] == [
        "unavailable",
        "starting",
        "starting",
        "ready",
    ]


async def test_one_that_dies_every_time_is_started_less_and_less_often() -> None:
    harness = Harness()
    waited_s = []
    for _ in range(12):
        before_s = harness.now_s
        while harness.connection.status.state != "ready":
            harness.connection.start()
            await harness.connection.wait_until_settled()
            harness.now_s += 0.25
        waited_s.append(harness.now_s - before_s)
        harness.links[-1].error = EngineUnavailable("Gone.")
        with pytest.raises(EngineUnavailable):
            await harness.ask()
        await harness.connection.wait_until_settled()
    assert waited_s[2:] == sorted(waited_s[2:])
    assert waited_s[-1] >= LONGEST_BACK_OFF_S


@pytest.mark.parametrize(
    "error", [EngineUnavailable("No."), FileNotFoundError(2, "No such file"), KeyError("a bug")]
)
async def test_failing_to_start_backs_off(error: Exception) -> None:
    harness = Harness()
    harness.connect_error = error
    harness.connection.start()
    await harness.connection.wait_until_settled()
    assert harness.connection.status.state == "unavailable"
    for _ in range(5):
        with pytest.raises(EngineUnavailable):
            await harness.ask()
    assert harness.num_connects == 1
    harness.connect_error = None
    harness.now_s += 1.0
    await harness.ready()
    assert await harness.ask() == RESULT


async def test_a_refusal_keeps_the_connection() -> None:
    harness = Harness()
    link = await harness.ready()
    link.error = EngineBusy("Later.")
    with pytest.raises(EngineBusy):
        await harness.ask()
    assert harness.connection.status.state == "ready"
    assert not link.is_closed


async def test_closing_a_stream_closes_the_engines() -> None:
    harness = Harness()
    link = await harness.ready()
    events = harness.connection.stream(REQUEST, "file:///home/ada/a.py")
    await anext(events)
    await events.aclose()
    assert link.num_streams_closed == 1


async def test_closing_lets_go_of_everything() -> None:
    harness = Harness()
    link = await harness.ready()
    await harness.connection.close()
    assert link.is_closed
    harness = Harness()
    harness.connection.start()
    await harness.connection.close()
    assert harness.links == []


async def test_the_engine_is_told_which_document_by_a_name_that_says_nothing() -> None:
    here, elsewhere = Harness(), Harness()
    for harness in (here, elsewhere):
        link = await harness.ready()
        await harness.ask()
        await harness.ask()
        first, second = link.document_ids
        assert first == second
        assert "ada" not in first and "a.py" not in first
    assert here.links[0].document_ids[0] != elsewhere.links[0].document_ids[0]
