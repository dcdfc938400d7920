"""`infill-ls cluster token add|revoke|list`: who may use the team's engine.

A token is shown once, when it is made; afterwards nobody can read it anywhere. Knows nothing of
how tokens are kept (see `infill_cluster.security.tokens`).
"""

from pathlib import Path

import click

from infill_client.settings import settings_file
from infill_cluster.security import tokens

_FILE_OPTION = click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="Token file, as gateway.tokens_file names it; else one beside the user's settings.",
)


@click.group(short_help="Give out, take back and list tokens.")
def token() -> None:
    """Give out, take back and list the tokens of a team; effective at once."""


@token.command()
@click.argument("user")
@_FILE_OPTION
def add(user: str, path: Path | None) -> None:
    """Make a token for USER and show it, this one time."""
    path = _path(path)
    made = tokens.add_token(path, user)
    click.echo(f"The token of {user}, which is not shown again (file {path}):", err=True)
    click.echo(made)


@token.command()
@click.argument("user")
@click.option("--ending", default="", help="Only the token with these last characters.")
@_FILE_OPTION
def revoke(user: str, ending: str, path: Path | None) -> None:
    """Take back the tokens of USER."""
    for record in tokens.revoke_tokens(_path(path), user, ending):
        click.echo(f"Revoked the token of {record.user} that ends in {record.ending}.")


@token.command("list")
@_FILE_OPTION
def list_tokens(path: Path | None) -> None:
    """Show whose tokens there are, their last characters and their age."""
    for record in tokens.read_tokens(_path(path)):
        click.echo(f"{record.user:<24} ...{record.ending}  {record.created}")


def _path(path: Path | None) -> Path:
    return path or settings_file().with_name("cluster-tokens.json")
