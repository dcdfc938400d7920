"""The asynchronous client against a real engine process."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from infill_client.address import EngineAddress
from infill_client.blocking import stream_infill
from infill_client.client import EngineClient
from infill_client.launcher import ensure_engine
from infill_engine.api import (
    ConfigError,
    EngineUnavailable,
    InfillError,
    InfillRequest,
    InfillResult,
    InfillUpdate,
    OutOfMemory,
    RequestInvalid,
    RequestTooLarge,
)
from infill_engine.process_state import find_process, read_state

GAP = InfillRequest("def add(left, right):\n    ", "\n")


@pytest.fixture
async def client(scripted: Any) -> AsyncIterator[EngineClient]:
    async with EngineClient(ensure_engine(scripted())) as client:
        yield client


async def test_infill_returns_the_result(client: EngineClient) -> None:
    result = await client.infill(GAP, document_id="client 1, naïve 🎉.py")
    assert result.text == "return left + right"
    assert (await client.infill(GAP)).finish_reason == "converged"


async def test_stream_yields_updates_then_the_result(client: EngineClient) -> None:
    events = [event async for event in client.stream(GAP)]
    assert [type(event) for event in events] == [InfillUpdate] * 3 + [InfillResult]
    assert [event.text for event in events[:2]] == ["return ", "return left + "]


async def test_the_next_request_needs_no_new_connection(client: EngineClient) -> None:
    await client.infill(GAP)
    async with aclosing(client.stream(GAP)) as events:
        async for event in events:
            if isinstance(event, InfillResult):
                break
    await client.health()
    pool = client._open()._transport._pool  # type: ignore[attr-defined]
    assert [connection.info().split(", ")[-1] for connection in pool.connections] == [
        "Request Count: 3"
    ]


async def test_health(client: EngineClient) -> None:
    health = await client.health()
    assert (health.status, health.model) == ("ready", "scripted")


async def test_closing_the_stream_cancels(client: EngineClient) -> None:
    async with aclosing(client.stream(InfillRequest("SLOW", ""))) as events:
        await anext(events)
        assert (await client.health()).num_running == 1
    await _until_idle(client)


async def test_cancelling_the_task_cancels(client: EngineClient) -> None:
    task = asyncio.create_task(client.infill(InfillRequest("SLOW", "")))
    while (await client.health()).num_running == 0:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until_idle(client)


async def test_errors_keep_their_class(client: EngineClient) -> None:
    with pytest.raises(OutOfMemory, match="1 GiB free"):
        await client.infill(InfillRequest("OOM", ""))
    with pytest.raises(InfillError, match="failed on this request"):
        await client.infill(InfillRequest("FAIL", ""))
    with pytest.raises(RequestTooLarge, match="100000 bytes"):
        await client.infill(InfillRequest("x" * 200_000, ""))
    with pytest.raises(RequestInvalid, match="surrogate"):
        await client.infill(InfillRequest("\ud800", ""))
    assert (await client.infill(GAP)).text


async def test_wrong_token(client: EngineClient) -> None:
    async with EngineClient(EngineAddress(client.address.url, "wrong")) as other:
        with pytest.raises(ConfigError, match="did not accept the token"):
            await other.infill(GAP)


async def test_engine_that_dies_in_mid_request(client: EngineClient) -> None:
    state = read_state()
    assert state is not None
    with pytest.raises(EngineUnavailable, match="ended while it worked on the request"):
        await client.infill(InfillRequest("EXIT", ""))
    # A dying process closes its connections before the port: for a moment it still accepts.
    while find_process(state) is not None:
        await asyncio.sleep(0.01)
    with pytest.raises(EngineUnavailable, match="No engine answers at"):
        await client.infill(GAP)


async def test_engine_that_is_killed_in_mid_request(client: EngineClient) -> None:
    state = read_state()
    assert state is not None
    with pytest.raises(EngineUnavailable, match="ended while it worked on the request"):
        async for _ in client.stream(InfillRequest("SLOW", "")):
            os.kill(state.pid, signal.SIGKILL)


async def test_another_server_at_the_address() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        async with EngineClient(EngineAddress(f"http://127.0.0.1:{port}", "t")) as client:
            with pytest.raises(EngineUnavailable, match=r"no infill-ls engine \(HTTP 404\)"):
                await client.health()
            with pytest.raises(EngineUnavailable, match=r"no infill-ls engine \(HTTP 404\)"):
                await client.infill(GAP)


def test_blocking_stream(scripted: Any) -> None:
    address = ensure_engine(scripted())
    events = list(stream_infill(address, GAP))
    assert [type(event) for event in events] == [InfillUpdate] * 3 + [InfillResult]
    with pytest.raises(EngineUnavailable, match="ended while it worked"):
        list(stream_infill(address, InfillRequest("EXIT", "")))


def test_importing_the_client_loads_neither_torch_nor_httpx() -> None:
    code = (
        "import sys, infill_client.client, infill_client.launcher; "
        "print([n for n in ('torch', 'httpx', 'rich', 'starlette') if n in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert printed.strip() == b"[]"


async def _until_idle(client: EngineClient) -> None:
    while (await client.health()).num_running:
        await asyncio.sleep(0.01)
