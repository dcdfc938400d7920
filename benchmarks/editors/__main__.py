"""Real editors as somebody sees them: `python -m benchmarks.editors`.

From the key to the painted frame, and the frames in which ghost text vanishes or takes something
back. Prints a table; the last line is one JSON object.
"""

import asyncio
import json

import click
from rich.console import Console
from rich.table import Table

from benchmarks.distribution import percentile
from benchmarks.editors.neovim_paint import measure as measure_neovim
from benchmarks.editors.report import EditorReport
from benchmarks.editors.vscode_paint import measure as measure_vscode
from benchmarks.machine import describe_machine
from benchmarks.typing_sessions import typing_sessions
from infill_engine.config import EngineConfig
from infill_engine.tokenizer import Tokenizer

_CONTEXT_TOKENS = 512
_EDITORS = {"vscode": measure_vscode, "neovim": measure_neovim}


@click.command()
@click.option(
    "--editor", "names", multiple=True, type=click.Choice(list(_EDITORS)), default=list(_EDITORS)
)
@click.option("--num-sessions", type=click.IntRange(min=1), default=24, show_default=True)
@click.option("--num-keystrokes", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--num-cold", type=click.IntRange(min=0), default=5, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(
    names: tuple[str, ...], num_sessions: int, num_keystrokes: int, num_cold: int, seed: int
) -> None:
    """Measure ghost text in real editors."""
    machine = describe_machine()
    tokenizer = Tokenizer.from_folder(EngineConfig().folder)
    sessions = typing_sessions(num_sessions, _CONTEXT_TOKENS, tokenizer, seed)
    reports = [
        asyncio.run(_EDITORS[name](sessions, num_keystrokes, num_cold, seed)) for name in names
    ]
    console = Console()
    for report in reports:
        console.print(_table(report))
        console.print(
            f"{report.num_keystrokes} keystrokes recorded; {report.num_frames} frames painted, "
            f"{report.faults.num_blank} of them blank, {report.faults.num_backward} backward"
        )
        console.print(", ".join(f"{name} {fact}" for name, fact in report.facts.items()))
    console.print(str(machine), highlight=False, soft_wrap=True)
    editors = [report.to_dict() for report in reports]
    print(
        json.dumps(
            {"benchmark": "editors", "seed": seed, "editors": editors, "machine": machine.to_dict()}
        )
    )


def _table(report: EditorReport) -> Table:
    table = Table(title=f"{report.editor}: key to paint")
    table.add_column("what is painted, ms")
    for column in ("p50", "p95", "largest", "count"):
        table.add_column(column, justify="right")
    for name, times in report.times().items():
        shown = [percentile(times, 50), percentile(times, 95), max(times)] if times else []
        table.add_row(
            name, *(f"{time:.0f}" for time in shown or ()), *([str(len(times))] if shown else [])
        )
    return table


if __name__ == "__main__":
    main()
