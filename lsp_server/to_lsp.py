"""Translates the finished text of a gap into LSP's inline completion item.

Knows nothing of how the text came about. Last step of the way from keystroke to ghost text.
"""

from lsprotocol import types

from lsp_server.speaking.outcomes import Answer

ACCEPTED_COMMAND = "infill.didAccept"
"""Run by the editor after it has inserted an item: the document's URI and the characters taken."""
_TITLE = "Suggestion accepted"


def inline_completions(
    text: str, position: types.Position, uri: str = ""
) -> list[types.InlineCompletionItem] | None:
    """Offer `text` at `position`; None when there is nothing to offer.

    None and never an empty list: Neovim hides what it shows on [], and keeps it on null.

    The range is empty, at the cursor: Neovim draws an item with a longer range over the text that
    follows, and VS Code shows an empty range as it should as long as nothing is replaced.
    Line endings stay LF whatever the document has: VS Code turns them into the document's own,
    Neovim would insert a CR as a character. With a `uri` the item carries the command by which the
    editor tells that it was accepted.
    """
    if not text:
        return None
    return [_item(text, types.Range(start=position, end=position), len(text), uri)]


def completions_of(
    answer: Answer | None, params: types.InlineCompletionParams
) -> list[types.InlineCompletionItem] | None:
    """Offer an answer; one that extends an item of the completion menu replaces what that does."""
    if answer is None:
        return None
    uri, selected = params.text_document.uri, params.context.selected_completion_info
    if answer.extends is None or selected is None:
        return inline_completions(answer.text, params.position, uri)
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
