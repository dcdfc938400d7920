"""A team of 200 at work while an engine is killed and all engines are replaced: what it notices.

    python -m benchmarks.cluster.soak

Two engines with the embedded model serve users over loopback, each of whom asks again as soon as an
answer is there, and asks again what was answered by an error, as the language server would. After
a third of the answers one engine is killed while it works; after two thirds a changed setting is
rolled out, which replaces every engine. Each answer is compared with a single engine's. Afterwards
engines and gateway are asked what they still hold. See benchmarks/README.md.
"""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import click
from rich.console import Console

from benchmarks.cluster.command_line import run
from benchmarks.cluster.soak_cluster import Left, SoakCluster, soak_cluster
from benchmarks.cluster.team import expected_texts, requests_of
from benchmarks.distribution import Distribution
from benchmarks.machine import describe_machine
from benchmarks.typing_sessions import TypingSession, typing_sessions
from infill_client.client import EngineClient
from infill_engine.api import EngineBusy, EngineUnavailable, InfillError, InfillRequest
from infill_engine.config import EngineConfig
from infill_engine.tokenizer import Tokenizer

_ASK_AGAIN_S = 0.5
_MAX_ASKED = 60
"""Times that one request is asked before it counts as failed: half a minute and more."""
_SETTLE_S = 60.0
_RETRYABLE = (EngineBusy, EngineUnavailable)


@dataclass(slots=True)
class Soaked:
    """What the users got.

    Attributes:
        num_right: answers that are a single engine's.
        num_wrong: answers that are not.
        num_failed: requests given up, or answered by an error that asking again does not mend.
        told: errors told, by code, each of which was followed by asking again.
        took_ms: of each answer, from first asking to the text.
        reasons: what failed, by type and message.
    """

    num_right: int = 0
    num_wrong: int = 0
    num_failed: int = 0
    told: Counter[str] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def num_ended(self) -> int:
        """Requests that are over, in whatever way."""
        return self.num_right + self.num_wrong + self.num_failed


@click.command()
@click.option("--num-users", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--num-requests", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--dtype", default="int8", show_default=True, help="Of the engines.")
@click.option("--seed", type=int, default=0, show_default=True)
def soak(num_users: int, num_requests: int, dtype: str, seed: int) -> None:
    """Count what a team notices of a killed engine and of a rolling update."""
    machine = describe_machine()
    tokenizer = Tokenizer.from_folder(EngineConfig().folder)
    sessions = typing_sessions(num_users, 256, tokenizer, seed)
    expected = expected_texts(sessions, num_requests, dtype)
    with soak_cluster(num_users, dtype) as cluster:
        begin_s = time.perf_counter()
        soaked, events = asyncio.run(_soak(cluster, sessions, num_requests, expected))
        took_s = time.perf_counter() - begin_s
        left = asyncio.run(_until_nothing_is_left(cluster))
    report = {
        "benchmark": "cluster_soak",
        "num_users": num_users,
        "num_requests": num_requests,
        "dtype": dtype,
        "seed": seed,
        "took_s": round(took_s, 1),
        "num_answers": soaked.num_right + soaked.num_wrong,
        "num_wrong": soaked.num_wrong,
        "num_failed": soaked.num_failed,
        "errors_told_and_asked_again": dict(soaked.told),
        "failures": dict(soaked.reasons),
        "latency_ms": Distribution.of(soaked.took_ms).to_dict(),
        "events": events,
        "transparent_retries": left.num_retries,
        "left": dataclasses.asdict(left),
        "is_nothing_left": left.is_nothing,
        "machine": machine.to_dict(),
    }
    _print(report)
    Console().print(str(machine), highlight=False, soft_wrap=True)
    print(json.dumps(report))


async def _soak(
    cluster: SoakCluster,
    sessions: list[TypingSession],
    num_requests: int,
    expected: dict[InfillRequest, str],
) -> tuple[Soaked, list[dict[str, Any]]]:
    soaked = Soaked()
    begin_s = time.perf_counter()
    users = [
        asyncio.create_task(_type(cluster, idx, session, num_requests, expected, soaked))
        for idx, session in enumerate(sessions)
    ]
    num_all = len(sessions) * num_requests
    events: list[dict[str, Any]] = []

    async def until_ended(num: int) -> None:
        while soaked.num_ended < num:
            await asyncio.sleep(0.02)

    def note(what: str) -> None:
        at_s = round(time.perf_counter() - begin_s, 1)
        events.append({"what": what, "at_s": at_s, "requests_ended": soaked.num_ended})
        print(f"{at_s:.0f} s, {soaked.num_ended} requests over: {what}", file=sys.stderr)

    note("everybody types")
    await until_ended(num_all // 3)
    victim = await asyncio.to_thread(cluster.busy_engine)
    os.kill(victim.pid, signal.SIGKILL)
    note(f"one of two engines killed, {victim.num_running} requests running in it")
    await until_ended(2 * num_all // 3)
    note("rolling update begun")
    await asyncio.to_thread(cluster.roll_out_another_setting)
    note("rolling update done")
    await asyncio.gather(*users)
    note("last answer")
    return soaked, events


async def _type(
    cluster: SoakCluster,
    user_idx: int,
    session: TypingSession,
    num_requests: int,
    expected: dict[InfillRequest, str],
    soaked: Soaked,
) -> None:
    async with EngineClient(cluster.address(user_idx)) as client:
        for request in requests_of(session, num_requests):
            begin_s = time.perf_counter()
            for _ in range(_MAX_ASKED):
                try:
                    result = await client.infill(request, session.path)
                except _RETRYABLE as error:
                    soaked.told[error.code] += 1
                    await asyncio.sleep(_ASK_AGAIN_S)
                    continue
                except InfillError as error:
                    soaked.num_failed += 1
                    soaked.reasons[f"{type(error).__name__}: {error}"] += 1
                    break
                soaked.took_ms.append(1000.0 * (time.perf_counter() - begin_s))
                if result.text == expected[request]:
                    soaked.num_right += 1
                else:
                    soaked.num_wrong += 1
                break
            else:
                soaked.num_failed += 1
                soaked.reasons["asked in vain"] += 1


async def _until_nothing_is_left(cluster: SoakCluster) -> Left:
    give_up_s = time.monotonic() + _SETTLE_S
    left = await asyncio.to_thread(cluster.left)
    while not left.is_nothing and time.monotonic() < give_up_s:
        await asyncio.sleep(0.5)
        with contextlib.suppress(InfillError):
            left = await asyncio.to_thread(cluster.left)
    return left


def _print(report: dict[str, Any]) -> None:
    lines = [
        f"{report['num_users']} users, {report['num_answers']} answers in {report['took_s']:.0f} s "
        f"({report['dtype']}), p50 {report['latency_ms']['p50']:.0f} ms, "
        f"p95 {report['latency_ms']['p95']:.0f} ms",
        *(
            f"  at {event['at_s']:6.1f} s, {event['requests_ended']:5d} requests over: "
            f"{event['what']}"
            for event in report["events"]
        ),
        f"wrong answers: {report['num_wrong']}",
        f"requests that failed for good: {report['num_failed']} {report['failures'] or ''}",
        f"errors told, then asked again: {report['errors_told_and_asked_again'] or 0}",
        f"retries that nobody noticed: {report['transparent_retries']:.0f}",
        f"left behind: {'nothing' if report['is_nothing_left'] else 'SOMETHING'} {report['left']}",
    ]
    for line in lines:
        Console().print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    run(soak, "benchmarks.cluster.soak")
