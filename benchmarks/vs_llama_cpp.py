"""Beside a peer: our engine and llama.cpp with SmolLM2-135M fill the same gaps in the same run.

    python -m benchmarks.vs_llama_cpp --data DIR

Needs llama-cpp-python (`pip install -e '.[peers]'`) and, once, a network for the 93 MB of
SmolLM2. Both run in process on the same cores with the same number of threads, gap by gap in turn.
See benchmarks/README.md.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.completions import Completion
from benchmarks.infilling_scores import pass_rate
from benchmarks.infilling_tasks import SPLITS, InfillingTask, read_tasks
from benchmarks.judging import judge
from benchmarks.llama_cpp_process import LlamaCpp, require_llama_cpp, running_llama_cpp
from benchmarks.machine import Machine, describe_machine
from benchmarks.program_runner import ProgramLimits, ProgramRun
from benchmarks.progress_bar import progress_bar
from benchmarks.side_by_side import (
    FIXED_TOKENS,
    NUM_NEW_CHARS,
    Asked,
    OurAnswers,
    TheirAnswers,
    answer_all,
    choose_gaps,
)
from benchmarks.side_by_side_scores import as_completion, our_scores, ratios, their_scores
from benchmarks.smollm2 import MODEL_NAME, MODEL_SHA256, smollm2_file
from infill_engine.api import InfillError
from lsp_server.settings import ServerSettings

_SPLIT = SPLITS["single-line"]


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the published HumanEval-*Infilling*.jsonl.gz files.",
)
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--model", default="embedded", show_default=True, help="'embedded' or a folder.")
@click.option(
    "--num-threads",
    type=click.IntRange(min=1),
    help="Of either; by default what our engine chooses, one for every two logical CPUs.",
)
@click.option(
    "--context-tokens",
    type=click.IntRange(min=64),
    default=1024,
    show_default=True,
    help="Of the text before the gap, that llama.cpp keeps; the default keeps all. Our engine "
    "keeps what its checkpoint says, of both sides together.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses the gaps, too.")
@click.option(
    "--samples",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write every line and its outcome there, one JSON object a gap.",
)
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON.")
def vs_llama_cpp(
    data: Path,
    limit: int,
    model: str,
    num_threads: int | None,
    context_tokens: int,
    seed: int,
    samples: Path | None,
    as_json: bool,
) -> None:
    """Measure our engine beside llama.cpp with SmolLM2-135M."""
    machine = describe_machine()
    require_llama_cpp()
    tasks = choose_gaps(read_tasks(data, _SPLIT), limit, seed)
    gguf = smollm2_file()
    from infill_engine.config import EngineConfig  # torch takes seconds; errors above do without
    from infill_engine.engine import Engine

    threads = num_threads or EngineConfig().chosen_num_threads()
    engine = Engine.load(EngineConfig(model=model, num_threads=threads))
    asked = Asked(_SPLIT.max_new_tokens, ServerSettings().min_confidence, seed)
    with running_llama_cpp(gguf, threads, context_tokens) as llama_cpp:
        with progress_bar("filling the gaps", len(tasks)) as on_done:
            answers = answer_all(engine, llama_cpp, tasks, asked, on_done)
        described = _describe(llama_cpp)
    ours, theirs = [our for our, _ in answers], [their for _, their in answers]
    our_runs = _judge(tasks, [answer.warm for answer in ours], "running our programs")
    their_runs = _judge(tasks, [as_completion(t.warm) for t in theirs], "running llama.cpp's")
    floor_runs = _judge(tasks, [Completion("")] * len(tasks), "running them with empty gaps")
    report = {
        "benchmark": "vs_llama_cpp",
        "split": "single-line",
        "num_gaps": len(tasks),
        "limit": limit,
        "seed": seed,
        "num_threads": threads,
        "max_new_tokens": asked.most_tokens,
        "fixed_tokens": FIXED_TOKENS,
        "num_new_chars": NUM_NEW_CHARS,
        "floor": round(pass_rate(floor_runs), 4),
        "published_floor": _SPLIT.published_floor,
        "ours": {
            "model": model,
            "max_context_tokens": engine.describe()["max_context_tokens"],
            "dtype": engine.describe()["dtype"],
            **our_scores(tasks, ours, our_runs, asked.least_confidence),
        },
        "llama_cpp": {
            **described,
            "max_context_tokens": context_tokens,
            **their_scores(tasks, theirs, their_runs),
        },
        "times_as_long": ratios(answers),
        "machine": machine.to_dict(),
    }
    if samples is not None:
        _write_samples(samples, tasks, answers, our_runs, their_runs)
    _print_table(report, machine)
    if as_json:
        print(json.dumps(report))


def _describe(llama_cpp: LlamaCpp) -> dict[str, Any]:
    return {"file": MODEL_NAME, "sha256": MODEL_SHA256, **llama_cpp.described}


def _judge(
    tasks: Sequence[InfillingTask], completions: Sequence[Completion], what: str
) -> list[ProgramRun]:
    return judge(tasks, completions, ProgramLimits(), os.cpu_count() or 1, what)


def _write_samples(
    path: Path,
    tasks: Sequence[InfillingTask],
    answers: Sequence[tuple[OurAnswers, TheirAnswers]],
    our_runs: Sequence[ProgramRun],
    their_runs: Sequence[ProgramRun],
) -> None:
    with path.open("w", encoding="utf-8") as file:
        for task, (ours, theirs), our_run, their_run in zip(
            tasks, answers, our_runs, their_runs, strict=True
        ):
            sample = {
                "task_id": task.task_id,
                "ours": ours.warm.text,
                "our_outcome": our_run.exception or our_run.outcome,
                "our_ms": round(ours.warm.took_ms, 2),
                "theirs": theirs.warm.line,
                "their_outcome": their_run.exception or their_run.outcome,
                "their_line_ms": round(theirs.warm.line_ms, 2),
                "their_fixed_tokens_ms": round(theirs.warm.fixed_ms, 2),
            }
            file.write(json.dumps(sample) + "\n")


def _print_table(report: dict[str, Any], machine: Machine) -> None:
    ours, theirs, fixed = report["ours"], report["llama_cpp"], report["fixed_tokens"]
    threads = f"{report['num_threads']} thread{'s' if report['num_threads'] > 1 else ''} each"
    table = Table(
        title=f"{report['num_gaps']} gaps of HumanEval-Infilling single-line, {threads}:\n"
        f"infill-ls with model {ours['model']}, llama.cpp with SmolLM2-135M; p50 / p95"
    )
    table.add_column("measure")
    for column in ("infill-ls", "llama.cpp", "ratio"):
        table.add_column(column, justify="right")
    for title, name in (
        (f"pass@1 (empty gaps {report['floor']:.1%})", "pass_at_1"),
        ("exact match", "exact_match"),
    ):
        table.add_row(title, f"{ours[name]:.1%}", f"{theirs[name]:.1%}")
    for kind in ("cold", "warm"):
        table.add_section()
        for title, name in (("a line", "line"), (f"a line; {fixed} tokens", "fixed_tokens")):
            table.add_row(
                f"{kind}, {title}, ms",
                _spread(ours[f"{kind}_ms"]),
                _spread(theirs[f"{kind}_{name}_ms"]),
                f"{report['times_as_long'][f'{kind}_{name}']['of_p50']:.2f}",
            )
        table.add_row("  first token, ms", "", _spread(theirs[f"{kind}_first_token_ms"]))
        tokens = (_spread(side[f"{kind}_evaluated_tokens"]) for side in (ours, theirs))
        table.add_row("  prompt tokens evaluated", *tokens)
    if ours["warm_written_out_ms"]:
        share = ours["warm_written_out_ms"]["count"] / report["num_gaps"]
        title = f"  lines not given up ({share:.0%}), ms"
        table.add_row(title, _spread(ours["warm_written_out_ms"]))
    table.add_row("  as while typing, ms", _spread(ours["warm_typing_ms"]))
    table.add_section()
    table.add_row(
        "tokens of the line", _spread(ours["line_tokens"]), _spread(theirs["line_tokens"])
    )
    shown = ours["shown"]
    table.add_row(f"shown when {shown['least_confidence']:.0%} sure", f"{shown['share']:.0%}")
    table.add_row("  all of it right", f"{shown['all_right']:.0%}")
    console = Console()
    console.print(table)
    console.print(str(machine), highlight=False, soft_wrap=True)
    built = f"llama-cpp-python {theirs['llama_cpp_python']}, {theirs['file']}"
    console.print(built, highlight=False, soft_wrap=True)


def _spread(distribution: dict[str, float]) -> str:
    return f"{distribution['p50']:.1f} / {distribution['p95']:.1f}"


def main() -> None:
    """Run the benchmark; an error of ours is one sentence and exit code 2."""
    try:
        vs_llama_cpp()
    except InfillError as error:
        click.echo(f"vs_llama_cpp: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
