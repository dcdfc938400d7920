"""Latency: an engine's start, its answers as an editor sees them, and its memory.

    python -m benchmarks.latency

Starts an engine process of its own, asks it over HTTP for lines in files of the standard library,
cold and while they are typed, then does the same inside this process for the engine's own share.
See benchmarks/README.md.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.distribution import Distribution
from benchmarks.latency_samples import Fill, play, summarize
from benchmarks.machine import Machine, describe_machine
from benchmarks.private_engine import (
    HttpFill,
    peak_memory_mib,
    private_runtime_folder,
    timed_start,
)
from benchmarks.progress_bar import progress_bar
from benchmarks.typing_sessions import TypingSession, typing_sessions
from infill_client.launcher import stop_engine
from infill_client.settings import EngineSettings
from infill_engine.api import InfillError, InfillRequest, InfillResult
from infill_engine.config import EngineConfig
from infill_engine.tokenizer import Tokenizer

_NUM_WARM_UPS = 2
_NUM_TOKENS_BESIDE_CONTEXT = 64


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked, of whichever engine.

    Attributes:
        warm_ups: sessions played first; of them only the very first request is reported.
        sessions: sessions that count.
        num_typed: requests behind each session's cold one.
        seed: of every request and of the typing.
    """

    warm_ups: list[TypingSession]
    sessions: list[TypingSession]
    num_typed: int
    seed: int

    def run(self, where: str, fill: Fill) -> dict[str, Any]:
        """Play all sessions; returns summaries of cold and typed requests."""
        first = play(self.warm_ups, 1, fill, self.seed).cold[0]
        with progress_bar(f"asking {where}", len(self.sessions)) as on_done:
            samples = play(self.sessions, self.num_typed, fill, self.seed, on_done)
        return {
            "first_completion_ms": round(first.took_ms, 2),
            "cold": summarize(samples.cold),
            "typed": summarize(samples.typed),
        }


@click.command()
@click.option(
    "--num-requests",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Cold requests, each in another file.",
)
@click.option(
    "--num-typed",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Requests behind each cold one, 1 to 5 characters further.",
)
@click.option("--context-tokens", type=click.IntRange(min=64), default=512, show_default=True)
@click.option("--num-starts", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--model", default="embedded", show_default=True, help="'embedded' or a folder.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
def latency(
    num_requests: int,
    num_typed: int,
    context_tokens: int,
    num_starts: int,
    model: str,
    seed: int,
    as_json: bool,
) -> None:
    """Measure how fast an engine starts and answers."""
    machine = describe_machine()
    tokenizer = Tokenizer.from_folder(EngineConfig(model=model).folder)
    sessions = typing_sessions(num_requests + _NUM_WARM_UPS, context_tokens, tokenizer, seed)
    plan = _Plan(sessions[:_NUM_WARM_UPS], sessions[_NUM_WARM_UPS:], num_typed, seed)
    report: dict[str, Any] = {
        "benchmark": "latency",
        "model": model,
        "context_tokens": context_tokens,
        "num_requests": num_requests,
        "num_typed": num_typed,
        "seed": seed,
        **_measure_process(plan, model, context_tokens, num_starts),
        "in_process": _measure_in_process(plan, model, context_tokens),
    }
    report["targets"] = _compare_with_targets(report)
    report["machine"] = machine.to_dict()
    _print_table(report, machine)
    if as_json:
        print(json.dumps(report))


def _room_for(context_tokens: int) -> int:
    """Prompt tokens that hold all of the context, beside markers, path, language and what is typed.

    The embedded model's own limit may be lower; latency is measured at the size asked for.
    """
    return context_tokens + context_tokens // 4 + _NUM_TOKENS_BESIDE_CONTEXT


def _measure_process(
    plan: _Plan, model: str, context_tokens: int, num_starts: int
) -> dict[str, Any]:
    """Start the engine several times; ask the last one."""
    settings = EngineSettings(
        model=model, max_context_tokens=_room_for(context_tokens), idle_exit_minutes=10.0
    )
    with private_runtime_folder():
        starts_s: list[float] = []
        with progress_bar("starting the engine", num_starts) as on_done:
            while True:
                address, start_s = timed_start(settings)
                starts_s.append(start_s)
                on_done()
                if len(starts_s) == num_starts:
                    break
                stop_engine()
        idle_mib = peak_memory_mib()
        fill = HttpFill(address)
        try:
            answers = plan.run("over HTTP", fill)
        finally:
            fill.close()
        return {
            "ready_s": Distribution.of(starts_s).to_dict(),
            "http": answers,
            "memory_when_ready_mib": round(idle_mib, 1),
            "peak_memory_mib": round(peak_memory_mib(), 1),
        }


def _measure_in_process(plan: _Plan, model: str, context_tokens: int) -> dict[str, Any]:
    """Ask an engine in this process: prefill and steps without HTTP around them."""
    from infill_engine.engine import Engine  # torch loads here, after the other process has ended

    engine = Engine.load(EngineConfig(model=model, max_context_tokens=_room_for(context_tokens)))

    def fill(request: InfillRequest, document_id: str) -> InfillResult:
        return engine.infill(request)

    return plan.run("in process", fill)


def _compare_with_targets(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return target, measured value and verdict of everything the project promises."""
    http = report["http"]
    rows = {
        "ready_p50_s": (3.0, report["ready_s"]["p50"]),
        "cold_p50_ms": (500.0, http["cold"]["completion_ms"]["p50"]),
        "typed_p50_ms": (250.0, http["typed"]["completion_ms"]["p50"]),
        "peak_memory_mib": (1024.0, report["peak_memory_mib"]),
    }
    return {
        name: {"target": target, "measured": measured, "met": measured <= target}
        for name, (target, measured) in rows.items()
    }


def _print_table(report: dict[str, Any], machine: Machine) -> None:
    table = Table(
        title=f"Latency: model {report['model']}, one line, {report['context_tokens']} tokens "
        f"of context, {report['num_requests']} files"
    )
    table.add_column("measure")
    for column in ("p50", "p95", "target", "verdict"):
        table.add_column(column, justify="right")
    targets = report["targets"]
    _add_row(table, "engine ready, s", report["ready_s"], targets["ready_p50_s"])
    http, inside = report["http"], report["in_process"]
    table.add_row("first completion of all, ms", f"{http['first_completion_ms']:.0f}")
    for kind, title in (("cold", "cold"), ("typed", "1 to 5 characters later")):
        answers, target = http[kind], targets[f"{kind}_p50_ms"]
        table.add_section()
        _add_row(table, f"completion over HTTP, {title}, ms", answers["completion_ms"], target)
        _add_row(table, "  in process, ms", inside[kind]["completion_ms"])
        _add_row(table, "  prefill in process, ms", inside[kind]["prefill_ms"])
        _add_row(table, "  step in process, ms", inside[kind]["step_ms"])
        _add_row(table, "  steps", answers["steps"])
        _add_row(table, "  tokens prefilled", answers["prefilled_tokens"])
        table.add_row("  tokens per forward", f"{answers['tokens_per_forward']:.2f}")
        table.add_row("  tokens drafted from the file", f"{answers['drafted_share']:.0%}")
    table.add_section()
    table.add_row("memory when ready, MiB", f"{report['memory_when_ready_mib']:.0f}")
    peak = targets["peak_memory_mib"]
    table.add_row("peak memory, MiB", f"{peak['measured']:.0f}", "", *_verdict(peak))
    console = Console()
    console.print(table)
    console.print(str(machine), highlight=False, soft_wrap=True)


def _add_row(
    table: Table, name: str, measured: dict[str, Any], target: dict[str, Any] | None = None
) -> None:
    table.add_row(name, f"{measured['p50']:.1f}", f"{measured['p95']:.1f}", *_verdict(target))


def _verdict(target: dict[str, Any] | None) -> tuple[str, str]:
    if target is None:
        return "", ""
    return f"<= {target['target']:g}", "met" if target["met"] else "missed"


def main() -> None:
    """Run the benchmark; an error of ours is one sentence and exit code 2."""
    try:
        latency()
    except InfillError as error:
        click.echo(f"latency: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
