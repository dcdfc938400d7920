"""Offers the rewrite of a selection as a code action.

Knows nothing of how it is done.
"""

from lsprotocol import types

from lsp_server.rewrite.order import REWRITE_COMMAND


def rewrite_actions(params: types.CodeActionParams, version: int) -> list[types.CodeAction] | None:
    """One `refactor.rewrite` action for what is selected; None where nothing is, or not asked for.

    The action asks for no instruction: an editor's plugin offers its own command for that.
    """
    start, end = params.range.start, params.range.end
    if (start.line, start.character) == (end.line, end.character):
        return None
    kind = types.CodeActionKind.RefactorRewrite
    asked = [str(getattr(k, "value", k)) for k in params.context.only or [""]]
    if not any(_includes(one, kind.value) for one in asked):
        return None
    argument = {
        "uri": params.text_document.uri,
        "range": {
            "start": {"line": start.line, "character": start.character},
            "end": {"line": end.line, "character": end.character},
        },
        "version": version,
    }
    title = "Rewrite the selection (infill-ls)"
    return [
        types.CodeAction(
            title=title,
            kind=kind,
            command=types.Command(title, REWRITE_COMMAND, arguments=[argument]),
        )
    ]


def _includes(asked: str, kind: str) -> bool:
    """Kinds are hierarchical: "refactor" asks for "refactor.rewrite" too; "" asks for all."""
    return not asked or kind == asked or kind.startswith(f"{asked}.")
