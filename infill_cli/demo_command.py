"""`infill-ls demo`: fills one gap in each sample file before your eyes.

A line is taken out of the file, the engine is given what stands before and after it, and what it
writes is shown in place beside what was taken out. Knows nothing of how the engine does it.
"""

import sys
import time
from dataclasses import dataclass, replace

import click

from infill_cli.complete_command import run_request
from infill_cli.denoising_view import first_lines, last_lines, safe_for_terminal, summary
from infill_cli.engine_access import Engine, connect
from infill_cli.gap import Gap
from infill_cli.samples_index import Sample, read_samples
from infill_engine.api import InfillResult

_NUM_CONTEXT_LINES = 4


@dataclass(frozen=True, slots=True)
class _Shown:
    sample: Sample
    result: InfillResult
    took_ms: float


@click.command(short_help="Fill three gaps in sample files, live.")
def demo() -> None:
    """Fill a gap in a Python, a TypeScript and a Go file, showing the denoising live."""
    engine = connect()
    shown = [_fill(engine, sample) for sample in read_samples()]
    for one in shown:
        is_same = one.result.text.strip() == one.sample.middle.strip()
        verdict = "as in the file" if is_same else f"the file has: {one.sample.middle}"
        click.echo(
            f"{one.sample.language:<11}{one.took_ms:6.0f} ms  {one.result.num_steps:3d} steps  "
            f"{verdict}"
        )


def _fill(engine: Engine, sample: Sample) -> _Shown:
    gap = sample.cut()
    where = f"{sample.file}, line {sample.line}"
    click.echo(click.style(f"── {sample.language}: {where} ", bold=True) + "─" * 30)
    request = replace(gap.request("line"), path=sample.file)
    sys.stdout.flush()  # the denoising goes to stderr: keep the order
    started_s = time.perf_counter()
    result = run_request(engine, request, gap)
    took_ms = (time.perf_counter() - started_s) * 1000
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        # On a terminal the last picture of the denoising is this already.
        _print_in_place(gap, result)
    click.echo(f"{took_ms:.0f} ms from request to answer\n")
    return _Shown(sample, result, took_ms)


def _print_in_place(gap: Gap, result: InfillResult) -> None:
    click.echo(
        safe_for_terminal(
            last_lines(gap.prefix, _NUM_CONTEXT_LINES)
            + f"⟦{result.text}⟧"
            + first_lines(gap.suffix, _NUM_CONTEXT_LINES)
        )
    )
    click.echo(summary(result))
