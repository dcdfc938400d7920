"""`infill-ls rewrite PATH:START-END`: rewrites lines as asked and prints the change as a diff.

Knows nothing of how the engine does it.
"""

import difflib
import sys

import click

from infill_cli.complete_command import run_request
from infill_cli.denoising_view import safe_for_terminal
from infill_cli.engine_access import connect
from infill_cli.gap import Gap
from infill_cli.place import parse_line_range
from infill_cli.source_file import SourceFile, read_source_file, with_plain_newlines
from infill_engine.api import RequestInvalid


@click.command(short_help="Rewrite lines of a file as an instruction says.")
@click.argument("place", metavar="PATH:START-END")
@click.option("--instruction", required=True, help="What to do with the lines.")
@click.option("--apply", "is_applied", is_flag=True, help="Change the file as well.")
@click.option("--watch", is_flag=True, help="Show the denoising on stderr.")
@click.option("--max-new-tokens", type=int, default=None, help="Upper bound on the length.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same text.")
def rewrite(
    place: str,
    instruction: str,
    is_applied: bool,
    watch: bool,
    max_new_tokens: int | None,
    seed: int,
) -> None:
    """Rewrite the lines START to END (from 1, both included) and print a unified diff."""
    lines = parse_line_range(place)
    if not instruction.strip():
        raise RequestInvalid("The instruction is empty; say what to do with the lines.")
    source = read_source_file(lines.path)
    gap = Gap(source, source.line_span(lines.start)[0], source.line_span(lines.end)[1])
    request = gap.request("rewrite", instruction, max_new_tokens, seed)
    result = run_request(connect(), request, gap if watch else None)
    new_text = gap.filled(result.text)
    diff = unified_diff(source, new_text)
    if not diff:
        click.echo("The lines stay as they are.", err=True)
        return
    if is_applied:
        source.write(new_text)
    click.echo(safe_for_terminal(diff) if sys.stdout.isatty() else diff, nl=False)


def unified_diff(source: SourceFile, new_text: str) -> str:
    """Return the change from the file's text to `new_text`, as `patch` and `git apply` read it."""
    name = source.path.as_posix().lstrip("/")
    pieces: list[str] = []
    for line in difflib.unified_diff(
        _lines_with_ends(source.text), _lines_with_ends(new_text), f"a/{name}", f"b/{name}"
    ):
        pieces.append(line)
        if not line.endswith("\n"):
            pieces.append("\n\\ No newline at end of file\n")
    return "".join(pieces)


def _lines_with_ends(text: str) -> list[str]:
    # Not str.splitlines: that also splits at form feeds and U+2028, which are no line ends here.
    *lines, last = with_plain_newlines(text).split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])
