"""A gateway under a client that opens 10,000 streams, and whether somebody else notices.

    python -m benchmarks.cluster.flood

`infill-ls cluster run` serves the embedded model with TLS, at the limits it has by default. Another
process, with the lowest priority, first asks as much at once as any user may, for comparison; then
it opens connections that say nothing, then connections with a request each, then asks on a few
connections again and again. All that while a bystander types, from the same address. Everything
shares this machine's cores, so the gateway's own CPU time is told as well.
"""

import asyncio
import dataclasses
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click
import httpx
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.cluster.command_line import run
from benchmarks.cluster.flood_attacker import Order
from benchmarks.cluster.served import ServedTeam, serve_team
from benchmarks.cluster.team import requests_of
from benchmarks.distribution import Distribution
from benchmarks.machine import describe_machine
from benchmarks.typing_sessions import TypingSession, typing_sessions
from infill_client.client import EngineClient
from infill_cluster.config import LimitsSection
from infill_engine.api import InfillError, InfillRequest
from infill_engine.config import EngineConfig
from infill_engine.tokenizer import Tokenizer
from infill_engine.wire import request_to_json

_ATTACKER, _BYSTANDER = 0, 1
_KINDS = ("allowed", "silent", "connections", "keep_alive")
_NUM_ALLOWED = 200
_PAUSE_S = 0.2
"""Of the bystander between two requests."""
_SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class FloodResult:
    """What one attack did.

    Attributes:
        kind: see `flood_attacker.Order`; "none" is the bystander alone.
        ends: how the attacker's streams ended: HTTP status or what became of the connection.
        took_s: of the attack.
        bystander_ms: from asking to the whole answer, of somebody else.
        bystander_failed: answers of theirs that were an error.
        gateway_cpu_s: used by the gateway's process, the bystander's requests included.
        cpu_ms_each: of that, for each of the attacker's streams; None where there are none.
        max_gateway_files: most files and sockets it had open.
        gateway_mib: its resident memory afterwards.
    """

    kind: str
    ends: dict[str, int]
    took_s: float
    bystander_ms: Distribution
    bystander_failed: int
    gateway_cpu_s: float
    cpu_ms_each: float | None
    max_gateway_files: int
    gateway_mib: float


@click.command()
@click.option("--num-streams", type=click.IntRange(min=8), default=10_000, show_default=True)
@click.option("--num-connections", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--kinds", default=",".join(_KINDS), show_default=True, help="By comma.")
@click.option("--seed", type=int, default=0, show_default=True)
def flood(num_streams: int, num_connections: int, kinds: str, seed: int) -> None:
    """Measure a gateway under a flood of streams."""
    machine = describe_machine()
    tokenizer = Tokenizer.from_folder(EngineConfig().folder)
    sessions = typing_sessions(2, 256, tokenizer, seed)
    with serve_team(1, 2, "auto", has_tls=True, limits={}) as served:
        results = [asyncio.run(_measure(served, sessions, None, 0.0))]
        per_request_s = results[0].gateway_cpu_s / results[0].bystander_ms.count
        for kind in kinds.split(","):
            order = _order(served, sessions[0], kind, num_streams, num_connections)
            results.append(asyncio.run(_measure(served, sessions, order, per_request_s)))
        left = _counters(served)
    _print(results, num_streams, num_connections)
    Console().print(f"Afterwards, as the gateway counts: {left}", highlight=False)
    Console().print(str(machine), highlight=False, soft_wrap=True)
    report = {
        "benchmark": "cluster_flood",
        "num_streams": num_streams,
        "num_connections": num_connections,
        "seed": seed,
        "results": [_row(result) for result in results],
        "left": left,
        "machine": machine.to_dict(),
    }
    print(json.dumps(report))


def _order(
    served: ServedTeam, session: TypingSession, kind: str, num_streams: int, num_connections: int
) -> Order:
    at = urlsplit(served.url)
    body = request_to_json(session.request(0, seed=0)).decode()
    if kind == "allowed":
        num_streams, num_connections = _NUM_ALLOWED, LimitsSection().max_streams_per_user
    return Order(
        kind,
        at.hostname or "",
        at.port or 0,
        served.tokens[_ATTACKER],
        served.ca_file,
        body.encode("ascii", "replace").decode(),
        num_streams,
        num_connections,
    )


async def _measure(
    served: ServedTeam,
    sessions: Sequence[TypingSession],
    order: Order | None,
    per_request_s: float,
) -> FloodResult:
    gateway = served.gateway()
    before_s = _cpu_s(gateway)
    is_over = asyncio.Event()
    files: list[int] = []
    typing = asyncio.create_task(_type(served, requests_of(sessions[_BYSTANDER], 6), is_over))
    watching = asyncio.create_task(_watch(gateway, files, is_over))
    told: dict[str, Any] = {"ends": {}, "took_s": 10.0}
    if order is None:
        await asyncio.sleep(10.0)
    else:
        await asyncio.sleep(1.0)  # the bystander has its connection before
        told = await _attack(order)
    is_over.set()
    took_ms, num_failed = await typing
    await watching
    used_s = _cpu_s(gateway) - before_s
    await asyncio.sleep(_SETTLE_S)
    num_ends = sum(told["ends"].values())
    theirs_s = used_s - per_request_s * len(took_ms)
    return FloodResult(
        order.kind if order else "none",
        told["ends"],
        told["took_s"],
        Distribution.of(took_ms),
        num_failed,
        used_s,
        round(1000 * theirs_s / num_ends, 3) if num_ends else None,
        max(files),
        gateway.memory_info().rss / 2**20,
    )


async def _attack(order: Order) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", "19", sys.executable, "-m", "benchmarks.cluster.flood_attacker"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    told, _ = await process.communicate(json.dumps(dataclasses.asdict(order)).encode())
    return json.loads(told)


async def _type(
    served: ServedTeam, requests: list[InfillRequest], is_over: asyncio.Event
) -> tuple[list[float], int]:
    took_ms: list[float] = []
    num_failed = 0
    async with EngineClient(served.address(_BYSTANDER)) as client:
        while not is_over.is_set():
            for request in requests:
                begin_s = time.perf_counter()
                try:
                    await client.infill(request, "bystander.py")
                except InfillError:
                    num_failed += 1
                took_ms.append(1000.0 * (time.perf_counter() - begin_s))
                await asyncio.sleep(_PAUSE_S)
    return took_ms, num_failed


async def _watch(gateway: psutil.Process, files: list[int], is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        files.append(gateway.num_fds())
        await asyncio.sleep(0.25)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _counters(served: ServedTeam) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {served.tokens[_BYSTANDER]}"}
    text = httpx.get(
        f"{served.url}/metrics", headers=headers, verify=served.ca_file, trust_env=False
    ).text
    pattern = r"^infill_gateway_((?:open|refused)_\w+(?:\{[^}]*\})?) ([\d.e+]+)$"
    return {name: float(value) for name, value in re.findall(pattern, text, re.MULTILINE)}


def _row(result: FloodResult) -> dict[str, Any]:
    return {**dataclasses.asdict(result), "bystander_ms": result.bystander_ms.to_dict()}


def _print(results: list[FloodResult], num_streams: int, num_connections: int) -> None:
    names = {
        "none": "nobody else",
        "allowed": "8 streams at once, as any user may",
        "silent": f"{num_streams:,} connections that say nothing",
        "connections": f"{num_streams:,} connections, a stream each",
        "keep_alive": f"{num_streams:,} streams on {num_connections} connections",
    }
    table = Table(title="A gateway with TLS, and a bystander who types, while another opens")
    for column in (
        *("what", "ended", "within s", "bystander p50 ms", "p95 ms", "worst ms", "failed"),
        *("gateway CPU s", "CPU ms each", "files", "MiB"),
    ):
        table.add_column(column, justify="right")
    for result in results:
        table.add_row(
            names[result.kind],
            ", ".join(f"{name}: {num_ends}" for name, num_ends in result.ends.items()),
            f"{result.took_s:.0f}",
            f"{result.bystander_ms.p50:.0f}",
            f"{result.bystander_ms.p95:.0f}",
            f"{result.bystander_ms.largest:.0f}",
            f"{result.bystander_failed} of {result.bystander_ms.count}",
            f"{result.gateway_cpu_s:.1f}",
            "" if result.cpu_ms_each is None else f"{result.cpu_ms_each:.2f}",
            str(result.max_gateway_files),
            f"{result.gateway_mib:.0f}",
        )
    Console(width=200).print(table)


if __name__ == "__main__":
    run(flood, "benchmarks.cluster.flood")
