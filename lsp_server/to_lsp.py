"""Translates the finished text of a gap into LSP's inline completion item.

Knows nothing of how the text came about. Last step of the way from keystroke to ghost text.
"""

from lsprotocol import types

from lsp_server.speaking.outcomes import Answer
from lsp_server.speaking.reasons import Withheld

ACCEPTED_COMMAND = "infill.didAccept"
"""Run by the editor after it has inserted an item: the document's URI and the characters taken."""
_TITLE = "Suggestion accepted"


_FROM_LINE_START = ("visual studio code", "code - oss", "code-oss", "vscodium", "code-server",
    "cursor", "windsurf", "theia")  # fmt: skip
"""What the names of clients begin with that are VS Code or made of it."""


def replaces_from_line_start(client: types.ClientInfo | None) -> bool:
    """Whether a client is to be given ranges from the line's start to the cursor.

    VS Code compares a suggestion with what its range holds and draws what is new: with the line in
    the range it takes the next suggestion for the same one, and nothing blinks. Neovim draws an
    item with a range over the text that follows, so it and all others are given an empty one.
    """
    return client is not None and client.name.lower().startswith(_FROM_LINE_START)


def inline_completions(
    text: str, position: types.Position, uri: str = "", line_start: str = ""
) -> list[types.InlineCompletionItem] | None:
    """Offer `text` at `position`; None when there is nothing to offer.

    None and never an empty list: Neovim hides what it shows on [], and keeps it on null.

    The range is empty, at the cursor; with a `line_start`, the line's text before the cursor, it
    begins at the line's start and the item's text with that.
    Line endings stay LF whatever the document has: VS Code turns them into the document's own,
    Neovim would insert a CR as a character. With a `uri` the item carries the command by which the
    editor tells that it was accepted.
    """
    if not text:
        return None
    start = types.Position(position.line, 0) if line_start else position
    return [_item(line_start + text, types.Range(start, position), len(text), uri)]


def completions_of(
    answer: Answer | Withheld, params: types.InlineCompletionParams, line_start: str = ""
) -> list[types.InlineCompletionItem] | None:
    """Offer an answer; one that extends an item of the completion menu replaces what that does."""
    if isinstance(answer, Withheld):
        return None
    uri, selected = params.text_document.uri, params.context.selected_completion_info
    if answer.extends is None or selected is None:
        return inline_completions(answer.text, params.position, uri, line_start)
    num_new = len(answer.text) - len(answer.extends.text)
    return [_item(answer.text, selected.range, num_new, uri)]


def accepted_command(uri: str, num_chars: int) -> types.Command:
    """What the editor runs once it has inserted a suggestion."""
    return types.Command(_TITLE, ACCEPTED_COMMAND, arguments=[uri, num_chars])


def _item(
    text: str, where: types.Range, num_new_chars: int, uri: str
) -> types.InlineCompletionItem:
    command = accepted_command(uri, num_new_chars) if uri else None
    return types.InlineCompletionItem(insert_text=text, range=where, command=command)
