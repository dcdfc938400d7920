"""Cluster: a team on a real one here, and how many GPUs larger teams would need.

    python -m benchmarks.cluster

First `infill-ls cluster run` serves the embedded model from one replica, then from two, to users
who ask again as soon as an answer is there, each answer compared with a single engine's; then
fleets of 8, 64 and 512, and those that 100 to 100,000 developers need, are simulated with the
cluster's own router. See benchmarks/README.md.
"""

import asyncio
import dataclasses
import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.cluster.capacity import LIMIT_MS
from benchmarks.cluster.command_line import run
from benchmarks.cluster.costs import H100_FP8, ReplicaCosts, recorded_costs
from benchmarks.cluster.served import serve_team
from benchmarks.cluster.sizing import TEAMS, simulate_fleets
from benchmarks.cluster.team import TeamResult, expected_texts, type_together
from benchmarks.cluster.typists import mean_requests_per_s, record_work
from benchmarks.machine import describe_machine
from benchmarks.progress_bar import progress_bar
from benchmarks.typing_sessions import TypingSession, typing_sessions
from infill_engine.api import InfillRequest
from infill_engine.config import EngineConfig
from infill_engine.tokenizer import Tokenizer

_NUM_RECORDED_PLACES = 40


@click.command()
@click.option("--users", default="1,8,32,200", show_default=True, help="Numbers, by comma.")
@click.option("--replicas", default="1,2", show_default=True, help="Numbers, by comma.")
@click.option("--num-requests", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--context-tokens", type=click.IntRange(min=64), default=256, show_default=True)
@click.option("--max-queue", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--dtype", default="auto", show_default=True, help="Of the engines measured.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--measure/--no-measure", default=True, help="A real cluster on this machine.")
@click.option("--simulate/--no-simulate", default=True, help="Fleets of GPUs.")
def cluster(
    users: str,
    replicas: str,
    num_requests: int,
    context_tokens: int,
    max_queue: int,
    dtype: str,
    seed: int,
    measure: bool,
    simulate: bool,
) -> None:
    """Measure a team's cluster."""
    machine = describe_machine()
    numbers = [int(number) for number in users.split(",")]
    works = record_work(_NUM_RECORDED_PLACES, context_tokens, seed)
    measured: list[dict[str, Any]] = []
    if measure:
        config = EngineConfig()
        sessions = typing_sessions(
            max(numbers), context_tokens, Tokenizer.from_folder(config.folder), seed
        )
        expected = expected_texts(sessions, num_requests, dtype)
        for num_replicas in (int(number) for number in replicas.split(",")):
            measured += _measure(num_replicas, dtype, numbers, sessions, num_requests, expected)
        _print_measured(measured)
    simulated: list[dict[str, Any]] = []
    teams: list[dict[str, Any]] = []
    if simulate:
        here = recorded_costs(works)
        _print_simulated(here, simulate_fleets(here, works, seed, max_queue, is_whole=False)[0])
        simulated, teams = simulate_fleets(H100_FP8, works, seed, max_queue, is_whole=True)
        _print_simulated(H100_FP8, simulated)
        _print_loads(simulated)
        _print_teams(teams)
    report = {
        "benchmark": "cluster",
        "context_tokens": context_tokens,
        "num_requests": num_requests,
        "max_queue": max_queue,
        "dtype": dtype,
        "seed": seed,
        "requests_per_s_of_a_typist": round(mean_requests_per_s(seed), 3),
        "measured": measured,
        "simulated": simulated,
        "teams": teams,
        "machine": machine.to_dict(),
    }
    Console().print(str(machine), highlight=False, soft_wrap=True)
    print(json.dumps(report))


def _measure(
    num_replicas: int,
    dtype: str,
    numbers: list[int],
    sessions: list[TypingSession],
    num_requests: int,
    expected: dict[InfillRequest, str],
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with (
        serve_team(num_replicas, max(numbers), dtype) as served,
        progress_bar(f"{num_replicas} replicas", len(numbers) + 1) as on_done,
    ):
        # First, and in files of their own: an engine finds any prompt that it has read before.
        middle = sorted(numbers)[len(numbers) // 2]
        without = type_together(served, sessions[-middle:], num_requests, False, expected)
        found.append(_row(num_replicas, False, asyncio.run(without)))
        on_done()
        for num_users in numbers:
            result = asyncio.run(
                type_together(served, sessions[:num_users], num_requests, True, expected)
            )
            found.append(_row(num_replicas, True, result))
            on_done()
    return found


def _row(num_replicas: int, has_affinity: bool, result: TeamResult) -> dict[str, Any]:
    return {
        "num_replicas": num_replicas,
        "has_affinity": has_affinity,
        **dataclasses.asdict(result),
        "latency_ms": result.latency_ms.to_dict(),
    }


def _print_measured(rows: list[dict[str, Any]]) -> None:
    table = Table(title="A real cluster on this machine, embedded model, one thread a replica")
    for column in (
        *("replicas", "users", "affinity", "p50 ms", "p95 ms", "requests/s"),
        *("cached", "wrong", "busy", "failed"),
    ):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            str(row["num_replicas"]),
            str(row["num_users"]),
            "yes" if row["has_affinity"] else "no",
            f"{row['latency_ms']['p50']:.0f}",
            f"{row['latency_ms']['p95']:.0f}",
            f"{row['requests_per_s']:.1f}",
            f"{row['share_cached']:.0%}",
            *(str(row[name]) for name in ("num_wrong", "num_busy", "num_failed")),
        )
    Console().print(table)


def _print_simulated(costs: ReplicaCosts, fleets: list[dict[str, Any]]) -> None:
    table = Table(title=f"Simulated: {costs.name} ({costs.source})")
    for column in (
        *("replicas", "affinity", "developers who type", "p95 ms", "prompts cached"),
        "replicas for 1,000",
    ):
        table.add_column(column, justify="right")
    for fleet in fleets:
        best = [load for load in fleet["loads"] if load["num_developers"] == fleet["capacity"]]
        load = best[0] if best else {"p95_ms": LIMIT_MS, "share_cached": 0.0}
        table.add_row(
            str(fleet["num_replicas"]),
            "yes" if fleet["has_affinity"] else "no",
            str(fleet["capacity"]),
            f"{load['p95_ms']:.0f}",
            f"{load['share_cached']:.0%}",
            f"{1000 * fleet['num_replicas'] / max(1, fleet['capacity']):.0f}",
        )
    Console().print(table)


def _print_loads(fleets: list[dict[str, Any]]) -> None:
    table = Table(title="p95 in ms of fleets with affinity; more than 10 times over: overloaded")
    table.add_column("developers who type", justify="right")
    mine = [fleet for fleet in fleets if fleet["has_affinity"]]
    for fleet in mine:
        table.add_column(f"{fleet['num_replicas']} GPUs", justify="right")
    for num_developers in TEAMS:
        cells = [str(num_developers)]
        for fleet in mine:
            p95_ms = {load["num_developers"]: load["p95_ms"] for load in fleet["loads"]}
            found = p95_ms.get(num_developers)
            cells.append("overloaded" if found is None else f"{found:.0f}")
        table.add_row(*cells)
    Console().print(table)


def _print_teams(teams: list[dict[str, Any]]) -> None:
    table = Table(title=f"The smallest fleet whose p95 is within {LIMIT_MS:g} ms")
    for column in ("developers who type", "GPUs", "p95 ms", "prompts cached", "GPUs for 1,000"):
        table.add_column(column, justify="right")
    for load in teams:
        table.add_row(
            str(load["num_developers"]),
            str(load["num_replicas"]),
            f"{load['p95_ms']:.0f}",
            f"{load['share_cached']:.0%}",
            f"{1000 * load['num_replicas'] / load['num_developers']:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    run(cluster, "benchmarks.cluster")
