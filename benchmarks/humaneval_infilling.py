"""Quality: fills HumanEval-Infilling's gaps and runs the programs' own tests (pass@1).

    python -m benchmarks.humaneval_infilling --split single-line --data DIR

Every score stands beside its floor: what passes when the gaps stay empty. The benchmark's data is
for measuring only; nothing is trained on it. See benchmarks/README.md.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import click
from rich.console import Console
from rich.table import Table

from benchmarks.completions import Completion, CompletionMode, complete_with_engine
from benchmarks.infilling_scores import cost_scores, outcome_counts, pass_rate, text_scores
from benchmarks.infilling_tasks import SPLITS, InfillingTask, SplitName, read_tasks
from benchmarks.judging import judge
from benchmarks.machine import Machine, describe_machine
from benchmarks.program_runner import ProgramLimits, ProgramRun
from benchmarks.progress_bar import progress_bar
from infill_engine.api import InfillError

CompletionSource = Literal["model", "gold", "empty"]


@click.command()
@click.option("--split", required=True, type=click.Choice(list(SPLITS)))
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the published HumanEval-*Infilling*.jsonl.gz files.",
)
@click.option("--limit", type=click.IntRange(min=1), help="That many tasks, spread evenly.")
@click.option("--model", default="embedded", show_default=True, help="'embedded' or a folder.")
@click.option("--mode", type=click.Choice(["block", "line"]), default="block", show_default=True)
@click.option(
    "--completion",
    "source",
    type=click.Choice(["model", "gold", "empty"]),
    default="model",
    show_default=True,
    help="What fills the gaps; gold and empty check the harness.",
)
@click.option("--no-drafts", is_flag=True, help="Without copying lines from the task's own text.")
@click.option(
    "--known-length", is_flag=True, help="Tell the engine how many tokens stood in the gap."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), help="Programs at a time; all cores.")
@click.option(
    "--timeout-s",
    type=click.IntRange(min=1),
    default=ProgramLimits().cpu_s,
    show_default=True,
    help="Processor seconds of one program.",
)
@click.option(
    "--samples",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every completion and its outcome there, one JSON object a line.",
)
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
def humaneval_infilling(
    split: SplitName,
    data: Path,
    limit: int | None,
    model: str,
    mode: CompletionMode,
    source: CompletionSource,
    no_drafts: bool,
    known_length: bool,
    seed: int,
    workers: int | None,
    timeout_s: int,
    samples: Path | None,
    as_json: bool,
) -> None:
    """Measure pass@1 on HumanEval-Infilling."""
    machine = describe_machine()
    tasks = read_tasks(data, SPLITS[split], limit)
    asked = _Asked(model, mode, SPLITS[split].max_new_tokens, seed, no_drafts, known_length)
    completions = _fill(tasks, source, asked)
    limits, num_workers = ProgramLimits(cpu_s=timeout_s), workers or os.cpu_count() or 1
    runs = judge(tasks, completions, limits, num_workers, "running the programs")
    empty = [Completion("") for _ in tasks]
    floor_runs = (
        runs
        if source == "empty"
        else judge(tasks, empty, limits, num_workers, "running them with empty gaps")
    )
    report = {
        "benchmark": "humaneval_infilling",
        "split": split,
        "num_tasks": len(tasks),
        "limit": limit,
        "completion": source,
        "model": model if source == "model" else None,
        "mode": mode if source == "model" else None,
        "no_drafts": no_drafts,
        "known_length": known_length,
        "max_new_tokens": SPLITS[split].max_new_tokens,
        "seed": seed,
        "timeout_s": timeout_s,
        "pass_at_1": round(pass_rate(runs), 4),
        "floor": round(pass_rate(floor_runs), 4),
        "published_floor": SPLITS[split].published_floor,
        **{name: round(score, 4) for name, score in text_scores(tasks, completions).items()},
        **cost_scores(completions),
        "outcomes": outcome_counts(runs),
        "machine": machine.to_dict(),
    }
    if samples is not None:
        _write_samples(samples, tasks, completions, runs)
    _print_table(report, machine)
    if as_json:
        print(json.dumps(report))


@dataclass(frozen=True, slots=True)
class _Asked:
    """How the engine is asked."""

    model: str
    mode: CompletionMode
    max_new_tokens: int
    seed: int
    no_drafts: bool
    known_length: bool


def _fill(
    tasks: Sequence[InfillingTask], source: CompletionSource, asked: _Asked
) -> list[Completion]:
    if source == "empty":
        return [Completion("") for _ in tasks]
    if source == "gold":
        return [Completion(task.canonical_solution) for task in tasks]
    from infill_engine.config import EngineConfig  # torch takes seconds; gold does without
    from infill_engine.engine import Engine
    from infill_engine.generation_config import read_generation_config

    config = EngineConfig(model=asked.model)
    generation = read_generation_config(config.folder)
    if asked.no_drafts:
        generation = replace(generation, drafting=None)
    engine = Engine.load(config, generation=generation)
    how = partial(
        complete_with_engine,
        engine,
        mode=asked.mode,
        max_new_tokens=asked.max_new_tokens,
        seed=asked.seed,
        infill_at_length_of=engine.infill_at_length_of if asked.known_length else None,
    )
    how(tasks[:1])  # not measured
    with progress_bar("filling the gaps", len(tasks)) as on_done:
        return how(tasks, on_done=on_done)


def _write_samples(
    path: Path,
    tasks: Sequence[InfillingTask],
    completions: Sequence[Completion],
    runs: Sequence[ProgramRun],
) -> None:
    with path.open("w", encoding="utf-8") as file:
        for task, completion, run in zip(tasks, completions, runs, strict=True):
            sample = {
                "task_id": task.task_id,
                "completion": completion.text,
                "outcome": run.outcome,
                "exception": run.exception,
                "num_steps": completion.result.num_steps if completion.result else 0,
                "took_ms": round(completion.took_ms, 2),
            }
            file.write(json.dumps(sample) + "\n")


def _print_table(report: dict[str, Any], machine: Machine) -> None:
    chosen = report["model"] and f"model {report['model']}, mode {report['mode']}"
    filled_by = chosen or f"{report['completion']} completions"
    table = Table(title=f"HumanEval-Infilling {report['split']}: {filled_by}")
    table.add_column("measure")
    table.add_column("value", justify="right")
    floor = f"floor {report['floor']:.2%}, of the whole split {report['published_floor']:.2%}"
    rows = {
        "pass@1": f"{report['pass_at_1']:.2%}  ({floor})",
        "exact match": f"{report['exact_match']:.2%}",
        "edit similarity": f"{report['edit_similarity']:.3f}",
        "tasks": str(report["num_tasks"]),
        "outcomes": _counts(report["outcomes"]),
    }
    if "timings_ms" in report:
        rows |= {
            "mean steps": f"{report['mean_steps']:.1f}",
            "tokens drafted from the task": f"{report['drafted_share']:.0%}",
            "tokens per forward": f"{report['tokens_per_forward']:.2f}",
            "finish reasons": _counts(report["finish_reasons"]),
        }
        for name, timing in cast(dict[str, dict[str, float]], report["timings_ms"]).items():
            rows[f"{name}, p50 / p95"] = f"{timing['p50']:.1f} / {timing['p95']:.1f} ms"
    for name, value in rows.items():
        table.add_row(name, value)
    console = Console()
    console.print(table)
    console.print(str(machine), highlight=False, soft_wrap=True)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def main() -> None:
    """Run the benchmark; an error of ours is one sentence and exit code 2."""
    try:
        humaneval_infilling()
    except InfillError as error:
        click.echo(f"humaneval_infilling: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
