"""Starts the language server on stdin and stdout, as an editor does.

Sees to it that nothing but LSP reaches stdout and that no user's code reaches a log. Knows nothing
of LSP's methods.
"""

import argparse
import gc
import sys
from collections.abc import Sequence

from lsp_server.log_level import LOG_LEVELS, set_up_logging


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until the client ends the connection; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lsp_server", description="Speak LSP on stdin and stdout."
    )
    parser.add_argument("--stdio", action="store_true", help="accepted, and always the case")
    parser.add_argument(
        "--log-level", choices=LOG_LEVELS, default="off", help="what is written to stderr"
    )
    arguments = parser.parse_args(argv)
    set_up_logging(arguments.log_level)
    protocol_out = sys.stdout.buffer
    # A stray print would end the connection: LSP owns stdout.
    sys.stdout = sys.stderr
    # All classes and code are there to stay: collections that walk over them while they are made
    # take 30 ms, and one later 24 ms.
    gc.disable()
    from lsp_server.server import create_server

    server = create_server()
    gc.freeze()
    gc.enable()
    server.start_io(sys.stdin.buffer, protocol_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
