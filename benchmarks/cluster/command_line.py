"""How the commands of this package end: what went wrong is one sentence. Knows none of them."""

import sys

import click

from infill_engine.api import InfillError


def run(command: click.Command, name: str) -> None:
    """Run a command with the process's arguments; its failure ends the process with a sentence."""
    try:
        command(standalone_mode=False)
    except (InfillError, click.ClickException) as error:
        sys.exit(f"{name}: {error}")
