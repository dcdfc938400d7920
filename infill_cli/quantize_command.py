"""`infill-ls model quantize`: makes a smaller copy of a model, with progress on stderr.

The one command that loads torch into this process: it computes. Knows nothing of formats.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from infill_cli.model_folder import read_model_facts
from infill_engine.api import InfillError

if TYPE_CHECKING:
    from infill_engine.checkpoint.conversion import Conversion
    from infill_engine.checkpoint.quantization_config import Target


@click.command(short_help="Write a smaller copy of a model.")
@click.argument("source", metavar="SOURCE")
@click.argument("dest", metavar="DEST", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    type=click.Choice(["fp8", "int4", "int8"]),
    required=True,
    help="fp8: half of bfloat16. int4: less than a third. int8: for CPUs.",
)
def quantize(source: str, dest: Path, target: "Target") -> None:
    """Quantise SOURCE, a model folder or Hugging Face name, into the new folder DEST.

    Tensor by tensor, so that memory never holds the model. When interrupted, the same command
    goes on where it stopped.
    """
    from infill_cli.model_command import find_model

    _, folder = find_model(source)
    read_model_facts(folder)
    dest = dest.expanduser()
    try:
        done = _convert(folder, dest, target)
    except KeyboardInterrupt:
        raise InfillError(
            f"Interrupted; {dest} is not finished. The same command goes on where this stopped."
        ) from None
    kept = f", {done.num_kept} of them kept from before" if done.num_kept else ""
    files = "1 file" if done.num_files == 1 else f"{done.num_files} files"
    click.echo(
        f"Wrote {dest}: {done.num_bytes / 1e9:.2f} GB in {files}{kept}, from "
        f"{done.source_bytes / 1e9:.2f} GB. Choose it with `infill-ls model use {dest}`."
    )


def _convert(folder: Path, dest: Path, target: "Target") -> "Conversion":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    from infill_engine.checkpoint.conversion import quantize_checkpoint

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    is_hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=is_hidden) as bar:
        task = bar.add_task("starting", total=1.0)

        def report(what: str, share: float) -> None:
            bar.update(task, description=what, completed=share)

        return quantize_checkpoint(folder, dest, target, report)
