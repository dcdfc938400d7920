"""`infill-ls model list|info|use|quantize`: which models there are, and which one the engine runs.

Knows nothing of how a model is run.
"""

from pathlib import Path

import click

from infill_cli.model_folder import EMBEDDED, ModelFacts, check_fit, folder_of, read_model_facts
from infill_cli.quantize_command import quantize
from infill_client.settings import choose_model, read_settings
from infill_engine.api import CheckpointError


@click.group(short_help="List, describe, choose or shrink the model.")
def model() -> None:
    """Choose among the embedded model and DiffusionGemma checkpoints."""


model.add_command(quantize)


@model.command(name="list")
def list_models() -> None:
    """List the models on this machine; a star marks the chosen one."""
    from infill_cli.model_download import fetched_models

    chosen = read_settings().model
    rows = [(EMBEDDED, EMBEDDED)]
    rows += [(name, str(folder)) for name, folder in fetched_models()]
    if chosen not in [stored for _, stored in rows]:
        rows.append((chosen, chosen))
    for name, stored in rows:
        try:
            words = describe_briefly(read_model_facts(folder_of(stored)))
        except CheckpointError as error:
            if name not in (EMBEDDED, chosen):
                continue  # some other program's model in the shared cache
            words = f"cannot be used: {error}"
        click.echo(f"{'*' if stored == chosen else ' '} {name}  {words}")


@model.command()
@click.argument("name", required=False)
def info(name: str | None) -> None:
    """Describe a model: the chosen one, or the one NAME or folder given."""
    facts = read_model_facts(folder_of(name or read_settings().model))
    click.echo(f"folder         {facts.folder}")
    click.echo(f"parameters     {facts.num_parameters:,}")
    click.echo(
        f"weights        {facts.weight_bytes / 2**20:,.1f} MiB in {facts.num_weight_files} "
        f"file{'s' if facts.num_weight_files > 1 else ''} ({', '.join(facts.dtypes)})"
    )
    if facts.quantization:
        click.echo(f"quantised      {facts.quantization}")
    click.echo(f"layers         {facts.num_layers} of width {facts.hidden_size}")
    if facts.num_experts:
        click.echo(f"experts        {facts.num_experts} per layer")
    click.echo(f"canvas         {facts.canvas_length} tokens")


@model.command()
@click.argument("name", metavar="PATH_OR_NAME")
def use(name: str) -> None:
    """Choose a model: `embedded`, a folder, or a Hugging Face name to fetch."""
    from infill_client.launcher import stop_engine

    chosen, folder = find_model(name)
    facts = read_model_facts(folder)
    check_fit(folder)
    path = choose_model(chosen)
    click.echo(f"Chosen in {path}: {name} ({describe_briefly(facts)}).")
    if stop_engine() is not None:
        click.echo("Stopped the engine; the next request starts it with this model.")


def describe_briefly(facts: ModelFacts) -> str:
    """Return the size of a model in a few words."""
    millions = facts.num_parameters / 1e6
    size = f"{millions / 1000:.1f} B" if millions >= 1000 else f"{millions:.1f} M"
    numbers = facts.quantization or "/".join(facts.dtypes)
    return f"{size} parameters, {facts.weight_bytes / 2**20:,.0f} MiB, {numbers}"


def find_model(name: str) -> tuple[str, Path]:
    """Return what to store for a model, and its folder; fetches it if it is a hub name."""
    from infill_cli.model_download import fetch_model, is_repository_name

    if name == EMBEDDED:
        return EMBEDDED, folder_of(EMBEDDED)
    folder = Path(name).expanduser()
    if not folder.exists() and is_repository_name(name):
        folder = fetch_model(name)
    # Absolute: the engine's process runs in another folder.
    return str(folder.resolve()), folder.resolve()
