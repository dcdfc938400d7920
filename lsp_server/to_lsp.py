"""Translates the finished text of a gap into LSP's inline completion item.

Knows nothing of how the text came about. Last step of the way from keystroke to ghost text.
"""

from lsprotocol import types


def inline_completions(
    middle: str, position: types.Position
) -> list[types.InlineCompletionItem] | None:
    """Offer `middle` at `position`; None when there is nothing to offer.

    None and never an empty list: Neovim hides what it shows on [], and keeps it on null.

    The range is empty, at the cursor: Neovim draws an item with a longer range over the text that
    follows, and VS Code shows an empty range as it should as long as nothing is replaced.
    Line endings stay LF whatever the document has: VS Code turns them into the document's own,
    Neovim would insert a CR as a character.
    """
    if not middle:
        return None
    return [
        types.InlineCompletionItem(
            insert_text=middle, range=types.Range(start=position, end=position)
        )
    ]
