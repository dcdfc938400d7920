"""The commands of `infill-ls` and where each lives; they are imported when used.

Sees to it that whatever goes wrong ends as one sentence on stderr and exit code 2. Knows nothing
of what the commands do.
"""

import errno
import importlib
import os
import sys
from typing import Any

import click

from infill_engine.api import InfillError

_COMMANDS = {
    "serve": "infill_cli.serve_command:serve",
    "complete": "infill_cli.complete_command:complete",
    "rewrite": "infill_cli.rewrite_command:rewrite",
    "demo": "infill_cli.demo_command:demo",
    "context": "infill_cli.context_command:context",
    "doctor": "infill_cli.doctor_command:doctor",
    "engine": "infill_cli.engine_command:engine",
    "cluster": "infill_cli.cluster_command:cluster",
    "model": "infill_cli.model_command:model",
    "replay": "infill_cli.replay_command:replay",
    "forget": "infill_cli.forget_command:forget",
    "stats": "infill_cli.stats_command:stats",
}


class Failure(click.ClickException):
    """Ends the program with one sentence on stderr."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the sentence."""
        click.echo(f"infill-ls: {self.message}", file=file, err=file is None)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module_name, attribute = _COMMANDS[cmd_name].split(":")
        return getattr(importlib.import_module(module_name), attribute)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **options)
        except click.UsageError as error:
            raise _as_sentence(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a full disk behind a pipe shows only here
            return result
        except click.UsageError as error:
            raise _as_sentence(error) from None
        except InfillError as error:
            raise Failure(str(error)) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # `infill-ls ... | head`; click ends quietly
                raise
            _give_up_unwritten_output()
            place = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{place}{error.strerror or error}.") from None


def _give_up_unwritten_output() -> None:
    """Let what stdout cannot take go nowhere: Python would try again at exit, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _as_sentence(error: click.UsageError) -> click.ClickException:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error  # a bare group shows what it offers
    command = error.ctx.command_path if error.ctx is not None else "infill-ls"
    return Failure(f"{error.format_message()} See `{command} --help`.")


@click.group(cls=_Commands, invoke_without_command=True)
@click.version_option(package_name="infill-ls", prog_name="infill-ls")
@click.option("--stdio", is_flag=True, help="Accepted for editors that pass it; always the case.")
@click.pass_context
def cli(ctx: click.Context, stdio: bool) -> None:
    """Fill the gap at the cursor with a local text-diffusion model.

    Without a command: the language server on stdin and stdout.
    """
    if ctx.invoked_subcommand is None:
        from infill_cli.main import run_language_server

        ctx.exit(run_language_server([]))
