"""`infill-ls complete PATH:LINE:COLUMN`: fills one gap and prints what belongs there.

Knows nothing of how the engine does it.
"""

import json
import sys
from collections.abc import Generator
from contextlib import ExitStack, closing
from typing import Any

import click

from infill_cli.denoising_view import denoising_view, safe_for_terminal
from infill_cli.engine_access import Engine, connect
from infill_cli.gap import Gap
from infill_cli.place import CursorPlace, parse_cursor_place
from infill_cli.source_file import read_source_file
from infill_client.address import EngineAddress
from infill_client.transport import InfillEvent
from infill_engine.api import InfillError, InfillRequest, InfillResult, Mode


@click.command(short_help="Fill the gap at a place in a file.")
@click.argument("place", metavar="PATH:LINE:COLUMN")
@click.option(
    "--mode",
    type=click.Choice(["line", "block"]),
    default="line",
    show_default=True,
    help="Up to the end of the line, or as long as the model thinks fit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print text, range, cost and timings.")
@click.option("--watch", is_flag=True, help="Show the denoising on stderr.")
@click.option("--max-new-tokens", type=int, default=None, help="Upper bound on the length.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same text.")
def complete(
    place: str, mode: Mode, as_json: bool, watch: bool, max_new_tokens: int | None, seed: int
) -> None:
    """Print the text that belongs at a place in a file.

    LINE and COLUMN count from 1; COLUMN counts characters, and one past the last is the line's
    end. The file is not changed.
    """
    cursor = parse_cursor_place(place)
    source = read_source_file(cursor.path)
    offset = source.offset(cursor.line, cursor.column)
    gap = Gap(source, offset, offset)
    request = gap.request(mode, max_new_tokens=max_new_tokens, seed=seed)
    result = run_request(connect(), request, gap if watch else None)
    text = source.in_its_newlines(result.text)
    if as_json:
        click.echo(json.dumps(_as_json(cursor, result, text), indent=2))
    elif not (watch and sys.stdout.isatty() and sys.stderr.isatty()):
        click.echo(safe_for_terminal(result.text) if sys.stdout.isatty() else text)


def run_request(engine: Engine, request: InfillRequest, watched: Gap | None = None) -> InfillResult:
    """Send a request and wait for its result; with `watched`, show the denoising.

    Raises:
        InfillError: as the engine says, or the engine is gone.
    """
    with ExitStack() as stack:
        view = stack.enter_context(denoising_view(watched)) if watched else None
        for event in stack.enter_context(closing(_stream(engine, request))):
            if view is not None:
                view.show(event)
            if isinstance(event, InfillResult):
                return event
    raise InfillError("The engine ended without a result.")


def _stream(engine: Engine, request: InfillRequest) -> Generator[InfillEvent, None, None]:
    # Imported late: reading a file and complaining about it needs no HTTP.
    if isinstance(engine, EngineAddress):
        from infill_client.blocking import stream_infill

        return stream_infill(engine, request)
    from infill_client.openai.blocking import stream_infill as stream_of_server

    return stream_of_server(engine, request)


def _as_json(cursor: CursorPlace, result: InfillResult, text: str) -> dict[str, Any]:
    here = {"line": cursor.line, "column": cursor.column}
    return {
        "text": text,
        "range": {"start": here, "end": here},
        "finish_reason": result.finish_reason,
        "num_steps": result.num_steps,
        "num_canvases": result.num_canvases,
        "num_tokens": result.num_tokens,
        "drafted_tokens": result.drafted_tokens,
        "cached_tokens": result.cached_tokens,
        "prefilled_tokens": result.prefilled_tokens,
        "mean_entropy": result.mean_entropy,
        "leading_confidence": result.leading_confidence,
        "timings_ms": result.timings_ms,
    }
