"""`infill-ls engine login|logout URL`: keeps the token for an engine elsewhere in the keyring.

Knows nothing of what a token opens.
"""

import sys

import click

from infill_client.credentials import remove_token, server_of, store_token


@click.command(short_help="Store the token for an engine elsewhere in the keyring.")
@click.argument("url")
def login(url: str) -> None:
    """Read the token for the engine at URL and store it in the system's keyring.

    It is asked for, or read from stdin when that is a pipe; never an argument, which others on
    the machine could see.
    """
    if sys.stdin.isatty():
        token = click.prompt("Token", hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    store_token(url, token.strip())
    click.echo(f"The token for {server_of(url)} is in the keyring.")


@click.command(short_help="Remove it again.")
@click.argument("url")
def logout(url: str) -> None:
    """Remove the token for the engine at URL from the keyring."""
    if remove_token(url):
        click.echo(f"The token for {server_of(url)} is removed. Have it revoked if it was known.")
    else:
        click.echo(f"The keyring has no token for {server_of(url)}.")
