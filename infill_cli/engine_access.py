"""The command line's way to an engine: found or started on demand, with a progress line.

Knows nothing of requests.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import click

from infill_client.address import EngineAddress
from infill_client.launcher import ensure_engine, stop_failed_engine
from infill_client.settings import EngineSettings, read_settings
from infill_engine.api import CheckpointError, InfillError

if TYPE_CHECKING:
    from infill_client.openai.probe import ProbedServer

Engine: TypeAlias = "EngineAddress | ProbedServer"
"""An engine of ours, or a server that speaks OpenAI's API."""


def connect(settings: EngineSettings | None = None) -> Engine:
    """Return an engine that is ready, starting one if needed; progress goes to stderr.

    Raises:
        InfillError: no engine could be started, or its model could not be loaded; then no process
            is left behind.
    """
    settings = settings or read_settings()
    if settings.kind == "openai":
        from infill_client.openai.blocking import find_server

        return find_server(settings)
    try:
        with show_progress() as on_progress:
            return ensure_engine(settings, on_progress=on_progress, restart_failed=True)
    except InfillError as error:
        if not settings.url:
            with contextlib.suppress(InfillError):  # the first error is the one to tell
                stop_failed_engine()
        if isinstance(error, CheckpointError):
            mend = "Mend its folder or choose another model with `infill-ls model use`."
            raise CheckpointError(f"{error} {mend}") from None
        raise


@contextmanager
def show_progress() -> Iterator[Callable[[str, float], None]]:
    """Yield what to call with (what is done, share done): a bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield _print_new_stages()
        return
    # Imported late: rich takes longer to import than a running engine takes to answer.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("looking for the engine", total=1.0)
        yield lambda stage, fraction: progress.update(task, description=stage, completed=fraction)


def _print_new_stages() -> Callable[[str, float], None]:
    seen: set[str] = set()

    def on_progress(stage: str, _fraction: float) -> None:
        if stage not in seen:
            seen.add(stage)
            click.echo(f"{stage} ...", err=True)

    return on_progress
