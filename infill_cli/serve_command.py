"""`infill-ls serve`: the language server on stdin and stdout. Knows nothing of LSP itself."""

import click

from infill_cli.main import run_language_server


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def serve(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Run the language server on stdin and stdout."""
    ctx.exit(run_language_server(list(arguments)))
