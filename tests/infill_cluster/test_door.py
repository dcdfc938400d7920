"""Who comes in and who does not: before TLS, by number, by address, and with no file left."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from infill_client.address import EngineAddress
from infill_client.client import EngineClient
from infill_cluster.gateway import door, open_files
from infill_cluster.gateway.door import Door, DoorLimits
from infill_engine.api import InfillRequest
from tests.infill_cluster.conftest import PATIENCE_S, body_of
from tests.infill_cluster.self_signed import write_certificate
from tests.infill_cluster.test_bad_connections import closed, still_serves

NUM_SILENT, NUM_FROM_ONE_ADDRESS = 1_500, 1_000


@contextlib.asynccontextmanager
async def connected(
    gateway: Any, **options: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port, **options)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def with_tls(start_gateway: Any, folder: Path, **limits: Any) -> tuple[Any, Path]:
    certificate = write_certificate(folder)
    tls = {"certificate": str(certificate), "key": str(folder / "key.pem")}
    return await start_gateway(limits, tls=tls), certificate


async def answer_to(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of an answer that says its length."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    return head.lower(), await reader.readexactly(length)


async def test_thousands_of_silent_connections_are_bounded_and_nobody_else_notices(
    start_gateway: Any,
) -> None:
    gateway = await start_gateway({"max_connections_per_address": NUM_FROM_ONE_ADDRESS})
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            EngineClient(gateway.address(gateway.token_of("ada")))
        )
        await client.infill(InfillRequest("x", ""))
        for _ in range(NUM_SILENT):
            await stack.enter_async_context(connected(gateway))
        await gateway.until(
            lambda: gateway.listener.refused["address"] >= NUM_SILENT - NUM_FROM_ONE_ADDRESS
        )
        assert gateway.listener.num_connections == NUM_FROM_ONE_ADDRESS
        assert (await client.infill(InfillRequest("x", ""))).finish_reason == "converged"
    await gateway.until(lambda: gateway.listener.num_connections == 0)
    metrics = await gateway.metrics()
    assert 'refused_connections_total{reason="address"} 501.0' in metrics
    assert "infill_gateway_open_connections 1.0" in metrics


async def test_one_address_too_many_times_leaves_room_for_another(start_gateway: Any) -> None:
    gateway = await start_gateway({"max_connections_per_address": 2})
    async with connected(gateway), connected(gateway), connected(gateway) as (reader, _):
        assert await closed(reader) == b""
        async with connected(gateway, local_addr=("127.0.0.2", 0)) as (reader, writer):
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await answer_to(reader))[0].startswith(b"http/1.1 401 ")


async def test_connections_far_over_the_limit_are_closed_as_they_come(start_gateway: Any) -> None:
    gateway = await start_gateway({"max_connections": 4})
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(connected(gateway))
        told = await stack.enter_async_context(connected(gateway))
        async with connected(gateway) as (reader, _):
            assert await closed(reader) == b""
        assert gateway.listener.refused["in_all"] == 1
        told[1].write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head, body = await answer_to(told[0])
        assert head.startswith(b"http/1.1 503 ")
        assert b"retry-after: 1" in head
        assert b"at most 4 may be" in body
    await gateway.until(lambda: gateway.listener.num_connections == 0)
    await still_serves(gateway)


@pytest.mark.parametrize("first_bytes", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n"])
async def test_a_tls_handshake_has_a_deadline_and_holds_up_nobody(
    start_gateway: Any, tmp_path: Path, first_bytes: bytes
) -> None:
    gateway, certificate = await with_tls(start_gateway, tmp_path, head_timeout_s=0.5)
    address = EngineAddress(
        f"https://127.0.0.1:{gateway.port}", gateway.token_of("ada"), str(certificate)
    )
    async with contextlib.AsyncExitStack() as stack:
        readers = []
        for _ in range(50):
            reader, writer = await stack.enter_async_context(connected(gateway))
            writer.write(first_bytes)
            readers.append(reader)
        async with EngineClient(address) as client:
            assert (await client.infill(InfillRequest("x", ""))).finish_reason == "converged"
        for reader in readers:
            await closed(reader)
    await gateway.until(lambda: gateway.listener.num_connections == 0)
    reason = "handshake" if first_bytes else "silent"
    assert gateway.listener.refused[reason] == 50


async def test_many_streams_on_connections_of_their_own_are_told_so_over_tls(
    start_gateway: Any, tmp_path: Path
) -> None:
    gateway, certificate = await with_tls(start_gateway, tmp_path, max_streams_per_user=2)
    context = ssl.create_default_context(cafile=certificate)
    body, token = body_of("SLOW"), gateway.token_of("greedy")
    head = f"POST /v1/infill HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    statuses: list[bytes] = []

    async def ask() -> None:
        async with connected(gateway, ssl=context) as (reader, writer):
            writer.write(request)
            statuses.append((await reader.readuntil(b"\r\n")).split(b" ")[1])
            await reader.read()  # whoever is served stays

    asking = [asyncio.create_task(ask()) for _ in range(100)]
    await gateway.until(lambda: len(statuses) == 100)
    assert statuses.count(b"429") == 98
    address = EngineAddress(
        f"https://127.0.0.1:{gateway.port}", gateway.token_of("ada"), str(certificate)
    )
    async with EngineClient(address) as client:
        document = gateway.replicas.free_document("ada")
        answer = await client.infill(InfillRequest("x", ""), document)
        assert answer.finish_reason == "converged"
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await gateway.until(lambda: gateway.listener.num_connections == 0)
    await gateway.until(lambda: gateway.replicas.num_running == 0)


async def test_a_refused_stream_keeps_its_connection_unless_its_body_is_large(
    start_gateway: Any,
) -> None:
    gateway = await start_gateway({"requests_per_minute": 1, "burst": 1})
    token = gateway.token_of("ada")
    head = f"POST /v1/infill HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"

    def request_of(num_bytes: int) -> bytes:
        return f"{head}Content-Length: {num_bytes}\r\n\r\n".encode() + b" " * num_bytes

    async with connected(gateway) as (reader, writer):
        writer.write(request_of(10))
        assert (await answer_to(reader))[0].startswith(b"http/1.1 422 ")
        for num_bytes, is_closed in ((10, False), (10, False), (100_000, True)):
            writer.write(request_of(num_bytes))
            answer, _ = await answer_to(reader)
            assert answer.startswith(b"http/1.1 429 ")
            assert (b"connection: close" in answer) == is_closed
        await closed(reader)


class FullSocket(socket.socket):
    """Accepts nobody while there is no file left."""

    num_tried = 0
    is_full = True

    def accept(self) -> tuple[socket.socket, Any]:
        self.num_tried += 1
        if self.is_full:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_without_a_file_left_the_door_waits_and_does_not_spin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "_NO_FILES_PAUSE_S", 0.05)
    listening = FullSocket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()

    class Greeter(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(b"hello")
            self.transport.close()

    def greeter(_on_lost: Callable[[], None]) -> asyncio.Protocol:
        return Greeter()

    full = Door(listening, DoorLimits(10, 10, PATIENCE_S), None)
    full.open(greeter)
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(b"anybody there?")
    await asyncio.sleep(0.3)
    assert 1 <= listening.num_tried <= 8
    assert full.refused["files"] == listening.num_tried
    listening.is_full = False
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b"hello"
    writer.close()
    full.close()


def test_connections_are_derived_from_the_limit_of_open_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = pytest.importorskip("resource", reason="Windows does not count sockets as files")
    limits = {"now": (1_024, 4_096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _what, new: limits.update(now=new))
    assert open_files.raise_open_files_limit() == 4_096
    assert limits["now"] == (4_096, 4_096)
    assert 3_000 < open_files.max_connections_of(4_096) < 4_096
    limits["now"] = (256, resource.RLIM_INFINITY)
    assert open_files.raise_open_files_limit() == 65_536
    assert open_files.max_connections_of(100) == 1


def test_who_has_one_address_of_a_network_has_them_all() -> None:
    assert door._address_of("192.0.2.7") == "192.0.2.7"
    assert door._address_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert door._address_of("2001:db8:1:2:3:4:5:6") == door._address_of("2001:db8:1:2::9%eth0")
    assert door._address_of("2001:db8:1:2::1") != door._address_of("2001:db8:1:3::1")
