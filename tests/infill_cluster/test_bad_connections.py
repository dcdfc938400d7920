"""Clients that hold a connection for nothing: each is cut off, and the others do not notice."""

import asyncio
import socket
from typing import Any

from infill_client.client import EngineClient
from infill_engine.api import InfillRequest
from tests.infill_cluster.conftest import PATIENCE_S, body_of


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Read to the end, which must come; a reset is an end as well."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionResetError:
        return b""


async def still_serves(gateway: Any) -> None:
    async with EngineClient(gateway.address(gateway.token_of("other"))) as client:
        assert (await client.infill(InfillRequest("x", ""))).finish_reason == "converged"


async def test_half_open_connections_are_closed(start_gateway: Any) -> None:
    gateway = await start_gateway({"head_timeout_s": 0.5})
    silent = await asyncio.open_connection(gateway.host, gateway.port)
    half = await asyncio.open_connection(gateway.host, gateway.port)
    half[1].write(b"POST /v1/infill HTTP/1.1\r\nHost: x\r\n")
    await half[1].drain()
    await still_serves(gateway)
    assert await closed(silent[0]) == b""
    assert await closed(half[0]) == b""
    for _reader, writer in (silent, half):
        writer.close()


async def test_a_second_head_that_never_ends_is_cut_off_as_well(start_gateway: Any) -> None:
    gateway = await start_gateway({"head_timeout_s": 0.5})
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    token = gateway.token_of("ada")
    head = f"Host: x\r\nAuthorization: Bearer {token}\r\n"
    writer.write(f"GET /metrics HTTP/1.1\r\n{head}\r\n".encode())
    await asyncio.wait_for(reader.readuntil(b"infill_gateway_audit_failures 0.0\n"), PATIENCE_S)
    writer.write(f"GET /metrics HTTP/1.1\r\n{head}".encode())
    await closed(reader)
    writer.close()


async def test_a_body_that_does_not_come_is_408(start_gateway: Any) -> None:
    gateway = await start_gateway({"body_timeout_s": 0.5})
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    token = gateway.token_of("ada")
    writer.write(
        f"POST /v1/infill HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 1000\r\n\r\n{".encode()
    )
    await still_serves(gateway)
    answer = await closed(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"was not here within 0.5 s" in answer
    writer.close()


async def test_a_head_without_end_closes_the_connection(start_gateway: Any) -> None:
    gateway = await start_gateway()
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
    await closed(reader)
    writer.close()
    await still_serves(gateway)


async def test_who_does_not_read_is_cut_off_and_the_engine_is_free(start_gateway: Any) -> None:
    gateway = await start_gateway({"write_timeout_s": 0.5}, num_replicas=1)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, (gateway.host, gateway.port))
    body = body_of("BIG")
    token = gateway.token_of("ada")
    head = (
        f"POST /v1/infill HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    await loop.sock_sendall(raw, head.encode() + body)
    await gateway.until(lambda: gateway.replicas.num_running == 1)
    await gateway.until(lambda: gateway.replicas.num_running == 0)
    raw.close()
    await still_serves(gateway)
    assert (await gateway.audited(2))[0]["outcome"] == "disconnected"


async def test_connections_over_the_limit_are_told_so_and_it_passes(start_gateway: Any) -> None:
    gateway = await start_gateway({"max_connections": 4})
    held = [await asyncio.open_connection(gateway.host, gateway.port) for _ in range(4)]
    async with gateway.http(gateway.token_of("ada")) as http:
        assert (await http.get("/v1/health")).status_code == 503
    for reader, writer in held:
        writer.close()
        await closed(reader)

    async def is_served() -> bool:
        async with gateway.http(gateway.token_of("ada")) as http:
            return (await http.get("/v1/health")).status_code == 200

    async with asyncio.timeout(PATIENCE_S):
        while not await is_served():
            await asyncio.sleep(0.01)
