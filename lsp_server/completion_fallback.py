"""Suggestions in the completion menu, for editors that know no inline completion.

Off unless the setting "completionFallback" is on, and registered only then: an editor that is
offered completions asks for them at every key. Knows nothing of how the text comes about.
"""

from lsprotocol import types

from lsp_server.protocol import InfillServer
from lsp_server.speaking.outcomes import Answer
from lsp_server.speaking.reasons import Withheld
from lsp_server.to_lsp import accepted_command

_LABEL_CHARS = 60
_LAST = "~"  # behind what other servers offer


def offer_completions(server: InfillServer) -> None:
    """Have the client ask for completions, if it can be told so while running."""
    document = server.client_capabilities.text_document
    completion = None if document is None else document.completion
    if completion is None or not completion.dynamic_registration:
        return
    if not server.offers_completions:
        server.offers_completions = True
        registration = types.Registration(
            "completion-fallback",
            types.TEXT_DOCUMENT_COMPLETION,
            types.CompletionRegistrationOptions(document_selector=None),
        )
        server.client_register_capability(types.RegistrationParams([registration]))


def as_inline(params: types.CompletionParams) -> types.InlineCompletionParams:
    """The same question for an inline completion."""
    context = params.context
    is_invoked = context is None or context.trigger_kind == types.CompletionTriggerKind.Invoked
    kinds = types.InlineCompletionTriggerKind
    return types.InlineCompletionParams(
        text_document=params.text_document,
        position=params.position,
        context=types.InlineCompletionContext(kinds.Invoked if is_invoked else kinds.Automatic),
    )


def completion_list(
    answer: Answer | Withheld, params: types.CompletionParams
) -> types.CompletionList:
    """One item at the cursor, the last of the menu; to be asked again at the next key."""
    items: list[types.CompletionItem] = []
    if isinstance(answer, Answer):
        where = types.Range(params.position, params.position)
        items.append(
            types.CompletionItem(
                label=answer.text.partition("\n")[0][:_LABEL_CHARS],
                kind=types.CompletionItemKind.Text,
                detail="infill-ls",
                documentation=answer.text,
                sort_text=_LAST,
                text_edit=types.TextEdit(where, answer.text),
                command=accepted_command(params.text_document.uri, len(answer.text)),
            )
        )
    return types.CompletionList(is_incomplete=True, items=items)
