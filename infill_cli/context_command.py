"""`infill-ls context PATH:LINE:COLUMN`: prints what the model would be shown, and what it costs.

For whoever wonders why a suggestion is what it is. Loads no model and asks no engine; knows
nothing of how the parts are chosen.
"""

from collections.abc import Callable
from pathlib import Path

import click

from infill_cli.denoising_view import safe_for_terminal
from infill_cli.gap import Gap
from infill_cli.language import language_of, shown_path
from infill_cli.model_folder import folder_of
from infill_cli.place import parse_cursor_place
from infill_cli.source_file import SourceFile, read_source_file
from infill_client.settings import read_settings
from infill_engine.api import CheckpointError
from lsp_server.context import fill_mode, position_kind
from lsp_server.context.scopes import enclosing_scopes, place_in_tree
from lsp_server.context.snippets import SnippetChooser, estimate_tokens
from lsp_server.documents import OpenDocument, without_ending

_SHOWN_LINES = 12  # of a side, at each of its ends


@click.command(short_help="Show what the model would see at a place in a file.")
@click.argument("place", metavar="PATH:LINE:COLUMN")
@click.option(
    "--open",
    "open_paths",
    metavar="PATH",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file to take for open beside it; may be given several times.",
)
@click.option("--full", is_flag=True, help="Print both sides whole.")
def context(place: str, open_paths: tuple[Path, ...], full: bool) -> None:
    """Print snippets, suffix and prefix as the model is given them, with token counts.

    LINE and COLUMN count from 1. In an editor, the other open files are those it has open, and
    recently edited places come in.
    """
    cursor = parse_cursor_place(place)
    source = read_source_file(cursor.path)
    offset = source.offset(cursor.line, cursor.column)
    gap = Gap(source, offset, offset)
    count_tokens, how = _token_counter()
    document = _document(source)
    documents = [document, *(_document(read_source_file(path)) for path in open_paths)]
    line_idx, char_offset = cursor.line - 1, cursor.column - 1
    view = document.gap_view(line_idx, char_offset)
    snippets = SnippetChooser(count_tokens=count_tokens, parse_budget_ms=None).choose(
        document, line_idx, char_offset, documents, lambda uri: uri
    )
    in_tree = place_in_tree(document, line_idx, char_offset, budget_ms=None)
    scopes = " > ".join(scope.name for scope in enclosing_scopes(in_tree)) if in_tree else ""
    _title("Place", f"{document.uri}, {document.language_id or 'no known language'}")
    click.echo(f"in {position_kind(view)}, fills a {fill_mode(view) if view else 'line'}")
    click.echo(f"within {scopes}" if scopes else "within no definition")
    for number, snippet in enumerate(snippets, start=1):
        _title(f"Snippet {number}", f"{snippet.path}, {count_tokens(snippet.text)} tokens")
        _echo(snippet.text)
    _title("Suffix", f"{count_tokens(gap.suffix)} tokens")
    _echo(gap.suffix if full else _ends_of(gap.suffix))
    _title("Prefix", f"{count_tokens(gap.prefix)} tokens")
    _echo(gap.prefix if full else _ends_of(gap.prefix))
    total = sum(count_tokens(snippet.text) for snippet in snippets)
    _title("Together", f"{total + count_tokens(gap.suffix) + count_tokens(gap.prefix)} tokens")
    click.echo(f"{how}; the engine keeps what is nearest the cursor within the model's own limit.")


def _document(source: SourceFile) -> OpenDocument:
    path = source.path
    return OpenDocument(shown_path(path), language_of(path), version=1, text=source.text)


def _token_counter() -> tuple[Callable[[str], int], str]:
    """Return what counts tokens, and in words how it does."""
    # Imported late: reading a large vocabulary takes a while.
    from infill_engine.tokenizer import Tokenizer

    try:
        tokenizer = Tokenizer.from_folder(folder_of(read_settings().model))
    except CheckpointError:
        return estimate_tokens, "Estimated, as the model's tokenizer.json cannot be read"
    return lambda text: len(tokenizer.encode(text)), "Counted by the chosen model's tokenizer"


def _ends_of(text: str) -> str:
    lines = text.splitlines(keepends=True)
    num_hidden = len(lines) - 2 * _SHOWN_LINES
    if num_hidden <= 0:
        return text
    head, tail = "".join(lines[:_SHOWN_LINES]), "".join(lines[-_SHOWN_LINES:])
    return f"{head}[{num_hidden} lines not shown]\n{tail}"


def _title(name: str, detail: str) -> None:
    click.echo(f"{click.style(f'── {name}', bold=True)}: {detail}")


def _echo(text: str) -> None:
    for line in text.split("\n"):
        click.echo(safe_for_terminal(without_ending(line)))
