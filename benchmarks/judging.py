"""From gaps and what fills them to how the programs end. Knows nothing of who filled them."""

from collections.abc import Sequence

from benchmarks.completions import Completion
from benchmarks.infilling_tasks import InfillingTask
from benchmarks.program_runner import ProgramLimits, ProgramRun, run_programs
from benchmarks.progress_bar import progress_bar


def judge(
    tasks: Sequence[InfillingTask],
    completions: Sequence[Completion],
    limits: ProgramLimits,
    num_workers: int,
    what: str,
) -> list[ProgramRun]:
    """Run the program of every filled gap, with a progress bar named `what`."""
    programs = [t.program(c.text) for t, c in zip(tasks, completions, strict=True)]
    with progress_bar(what, len(programs)) as on_done:
        return run_programs(programs, limits, num_workers, on_done)
