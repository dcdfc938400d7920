"""Batching: one engine for several people who type at once, one request at a time or together.

    python -m benchmarks.batching

Every user types in a file of the standard library and asks again as soon as the answer is there,
which is harder than anybody types. Each answer is compared with that of an engine that serves
nobody else. See benchmarks/README.md.
"""

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.batching_users import Played, Ways, asked_of, play_together
from benchmarks.distribution import Distribution
from benchmarks.machine import describe_machine
from benchmarks.progress_bar import progress_bar
from benchmarks.typing_sessions import typing_sessions
from infill_engine.api import InfillError, InfillResult
from infill_engine.config import EngineConfig
from infill_engine.tokenizer import Tokenizer


@click.command()
@click.option("--users", default="1,2,4,8", show_default=True, help="Numbers of users, by comma.")
@click.option(
    "--num-requests", type=click.IntRange(min=2), default=12, show_default=True, help="Of each."
)
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--context-tokens", type=click.IntRange(min=64), default=256, show_default=True)
@click.option("--max-batch", type=click.IntRange(min=2), default=4, show_default=True)
@click.option("--model", default="embedded", show_default=True, help="'embedded' or a folder.")
@click.option("--dtype", default="auto", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
def batching(
    users: str,
    num_requests: int,
    repeats: int,
    context_tokens: int,
    max_batch: int,
    model: str,
    dtype: str,
    seed: int,
    as_json: bool,
) -> None:
    """Measure what several users of one engine get."""
    numbers = [int(number) for number in users.split(",")]
    machine = describe_machine()
    config = EngineConfig(model=model, dtype=dtype)
    tokenizer = Tokenizer.from_folder(config.folder)
    sessions = typing_sessions(max(numbers), context_tokens, tokenizer, seed)
    asked = [asked_of(session, num_requests, seed) for session in sessions]
    ways = Ways(config, max_batch)
    alone = ways.alone(asked)
    rows: list[dict[str, Any]] = []
    with progress_bar("asking", len(numbers) * repeats * len(ways.names)) as on_done:
        for num_users in numbers:
            played: dict[str, list[Played]] = {name: [] for name in ways.names}
            for _ in range(repeats):  # by turns, so that a busy moment meets all ways
                for name in ways.names:
                    played[name].append(play_together(ways.open(name), asked[:num_users]))
                    on_done()
            rows += [_row(num_users, name, plays, alone) for name, plays in played.items()]
    report = {
        "benchmark": "batching",
        "model": model,
        "dtype": ways.dtype,
        "context_tokens": context_tokens,
        "num_requests": num_requests,
        "repeats": repeats,
        "max_batch": max_batch,
        "seed": seed,
        "rows": rows,
        "machine": machine.to_dict(),
    }
    _print_table(report)
    Console().print(str(machine), highlight=False, soft_wrap=True)
    if as_json:
        print(json.dumps(report))


def _row(
    num_users: int, name: str, plays: list[Played], alone: list[list[InfillResult]]
) -> dict[str, Any]:
    """One row of the table."""
    answers = [answer for played in plays for user in played.answers for answer in user]
    took_s = sum(played.took_s for played in plays)
    num_steps = sum(played.num_steps for played in plays)
    num_cached = sum(answer.result.cached_tokens for answer in answers)
    num_prefilled = sum(answer.result.prefilled_tokens for answer in answers)
    lines = [answer for answer in answers if answer.mode == "line"]
    return {
        "users": num_users,
        "way": name,
        "requests_per_s": round(len(answers) / took_s, 2),
        "line_ms": Distribution.of([answer.took_ms for answer in lines]).to_dict(),
        "all_ms": Distribution.of([answer.took_ms for answer in answers]).to_dict(),
        "rows_per_step": round(sum(p.num_rows for p in plays) / max(1, num_steps), 2),
        "cache_hit_ratio": round(num_cached / max(1, num_cached + num_prefilled), 3),
        "texts_unlike_alone": sum(
            answer.result.text != expected.text
            for played in plays
            for got, wanted in zip(played.answers, alone, strict=False)
            for answer, expected in zip(got, wanted, strict=True)
        ),
        "answers": len(answers),
    }


def _print_table(report: dict[str, Any]) -> None:
    table = Table(
        title=f"Batching: model {report['model']} in {report['dtype']}, "
        f"{report['num_requests']} requests of each user, every fourth a block"
    )
    table.add_column("users", justify="right")
    table.add_column("way")
    for column in ("requests/s", "line p50 ms", "p95", "all p50 ms", "p95", "rows a step"):
        table.add_column(column, justify="right")
    table.add_column("cache hits", justify="right")
    table.add_column("unlike alone", justify="right")
    for row in report["rows"]:
        table.add_row(
            str(row["users"]),
            row["way"],
            f"{row['requests_per_s']:.1f}",
            f"{row['line_ms']['p50']:.0f}",
            f"{row['line_ms']['p95']:.0f}",
            f"{row['all_ms']['p50']:.0f}",
            f"{row['all_ms']['p95']:.0f}",
            f"{row['rows_per_step']:.2f}",
            f"{row['cache_hit_ratio']:.0%}",
            f"{row['texts_unlike_alone']} of {row['answers']}",
        )
    Console().print(table)


def main() -> None:
    """Run the benchmark; an error of ours is one sentence and exit code 2."""
    try:
        batching()
    except InfillError as error:
        click.echo(f"batching: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
