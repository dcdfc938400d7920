"""A client that opens thousands of streams at once: what `flood` lets loose on a gateway.

    python -m benchmarks.cluster.flood_attacker < order.json

A process of its own, with sockets and nothing above them, so that it costs the machine as little
as it can. Tells on stdout, as JSON, how its streams ended. Knows nothing of who measures.
"""

import asyncio
import json
import ssl
import sys
import time
from collections import Counter
from dataclasses import dataclass

from infill_cluster.gateway.open_files import raise_open_files_limit

_SILENT_S = 20.0
"""Longest that a connection is held which says nothing."""
_MAX_BEGUN_AT_ONCE = 256
"""Connections that are being made; with more the attacker would be too slow to end any."""
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Order:
    """What to do to whom.

    Attributes:
        kind: "silent" only connects; "connections" asks once on each of its connections;
            "allowed" and "keep_alive" ask all on a few connections.
        host: of the gateway.
        port: of the gateway.
        token: a valid one.
        ca_file: who vouches for the gateway.
        body: of each request.
        num_streams: requests, or silent connections.
        num_connections: of "allowed" and "keep_alive".
    """

    kind: str
    host: str
    port: int
    token: str
    ca_file: str
    body: str
    num_streams: int
    num_connections: int


async def attack(order: Order) -> dict[str, object]:
    """Do it; returns how many streams ended in which way, and how long all of it took."""
    context = ssl.create_default_context(cafile=order.ca_file)
    ends: Counter[str] = Counter()
    begin_s = time.perf_counter()
    if order.kind == "silent":
        await asyncio.gather(*(_hold(order, ends) for _ in range(order.num_streams)))
    elif order.kind == "connections":
        begun = asyncio.Semaphore(_MAX_BEGUN_AT_ONCE)

        async def ask_once() -> None:
            async with begun:
                await _ask(order, context, ends, 1)

        await asyncio.gather(*(ask_once() for _ in range(order.num_streams)))
    else:
        num_each = order.num_streams // order.num_connections
        asking = (_ask(order, context, ends, num_each) for _ in range(order.num_connections))
        await asyncio.gather(*asking)
    return {"ends": dict(sorted(ends.items())), "took_s": time.perf_counter() - begin_s}


async def _hold(order: Order, ends: Counter[str]) -> None:
    try:
        reader, writer = await asyncio.open_connection(order.host, order.port)
    except OSError as error:
        ends[f"not connected ({type(error).__name__})"] += 1
        return
    begin_s = time.perf_counter()
    try:
        async with asyncio.timeout(_SILENT_S):
            await reader.read()
        held_s = time.perf_counter() - begin_s
        ends["closed at once" if held_s < 1.0 else "closed later"] += 1
    except TimeoutError:
        ends["held to the end"] += 1
    except OSError:
        ends["closed at once"] += 1
    writer.transport.abort()


async def _ask(order: Order, context: ssl.SSLContext, ends: Counter[str], num: int) -> None:
    """Ask `num` times; a new connection each time that the gateway has closed the last one."""
    head = (
        f"POST /v1/infill HTTP/1.1\r\nHost: {order.host}\r\nAuthorization: Bearer {order.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(order.body)}\r\n\r\n"
    )
    request = (head + order.body).encode()
    writer: asyncio.StreamWriter | None = None
    reader = asyncio.StreamReader()
    for _ in range(num):
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(
                    order.host, order.port, ssl=context, ssl_handshake_timeout=120.0
                )
            writer.write(request)
            answer = await reader.readuntil(_HEAD_END)
            ends[answer.split(b" ", 2)[1].decode()] += 1
            if b"connection: close" in answer.lower():
                writer.transport.abort()
                writer = None
            else:
                await _read_body(reader, answer)
        except (OSError, asyncio.IncompleteReadError) as error:
            ends[f"closed ({type(error).__name__})"] += 1
            if writer is not None:
                writer.transport.abort()
                writer = None
    if writer is not None:
        writer.transport.abort()


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> None:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
            return
    while size := int(await reader.readline(), 16):  # chunked
        await reader.readexactly(size + 2)
    await reader.readline()


if __name__ == "__main__":
    raise_open_files_limit()
    got = Order(**json.load(sys.stdin))
    json.dump(asyncio.run(attack(got)), sys.stdout)
