"""Where `infill-ls` starts: an editor gets the language server, a person the commands.

Nothing is imported before that is decided, so that the server is up quickly. Knows nothing of
what the commands do.
"""

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in ([], ["--stdio"]):
        sys.exit(run_language_server([]))
    from infill_cli.commands import cli

    cli(prog_name="infill-ls")


def run_language_server(arguments: list[str]) -> int:
    """Serve on stdin and stdout until the editor ends the connection; returns the exit code."""
    from lsp_server.__main__ import main as serve

    return serve(arguments)


if __name__ == "__main__":
    main()
