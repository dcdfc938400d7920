"""Suggestions in the completion menu, for editors that know no inline completion.

Off unless the setting "completionFallback" is on, and registered only then: an editor that is
offered completions asks for them at every key. Knows nothing of how the text comes about.
"""

from collections.abc import Mapping

from lsprotocol import types

from lsp_server.documents import OpenDocument
from lsp_server.positions import PositionEncoding, count_units
from lsp_server.protocol import InfillServer
from lsp_server.speaking.outcomes import Answer
from lsp_server.speaking.reasons import Withheld
from lsp_server.speaking.triggers import is_word_char
from lsp_server.to_lsp import accepted_command

_SETTING = "completionFallback"
_LABEL_CHARS = 60
_LAST = "~"  # behind what other servers offer


def must_offer_at_once(params: types.InitializeParams) -> bool:
    """Whether completions have to be offered with the answer to `initialize`, or never.

    Eglot, Helix, ALE and others can not be told later. Only the initialization options are looked
    at, and only for this one setting: the others are read when `initialize` is answered.
    """
    if _can_be_told_later(params.capabilities):
        return False
    options = params.initialization_options
    if not isinstance(options, Mapping):
        return False
    nested = options.get("infill")
    places = (options, nested if isinstance(nested, Mapping) else {})
    return any(place.get(_SETTING) is True for place in places) or (
        options.get(f"infill.{_SETTING}") is True
    )


def offer_completions(server: InfillServer) -> None:
    """Have the client ask for completions, if it can be told so while running."""
    if not _can_be_told_later(server.client_capabilities):
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
    answer: Answer | Withheld,
    params: types.CompletionParams,
    typed: str,
    encoding: PositionEncoding,
) -> types.CompletionList:
    """One item at the cursor, the last of the menu; to be asked again at the next key.

    It stands for the word that is being `typed`, and not only for what follows: editors compare
    items with that word, and drop those that do not begin with it.
    """
    items: list[types.CompletionItem] = []
    if isinstance(answer, Answer):
        text, end = typed + answer.text, params.position
        start = types.Position(end.line, end.character - count_units(typed, encoding))
        items.append(
            types.CompletionItem(
                label=text.partition("\n")[0][:_LABEL_CHARS],
                kind=types.CompletionItemKind.Text,
                detail="infill-ls",
                documentation=text,
                sort_text=_LAST,
                filter_text=text,
                text_edit=types.TextEdit(types.Range(start, end), text),
                command=accepted_command(params.text_document.uri, len(answer.text)),
            )
        )
    return types.CompletionList(is_incomplete=True, items=items)


def word_before(
    document: OpenDocument, position: types.Position, encoding: PositionEncoding
) -> str:
    """Return the part before `position` of the word that stands there, "" for none."""
    line_idx, char_offset = document.locate(position.line, position.character, encoding)
    line, start = document.lines[line_idx], char_offset
    while start > 0 and is_word_char(line[start - 1]):
        start -= 1
    return line[start:char_offset]


def _can_be_told_later(capabilities: types.ClientCapabilities) -> bool:
    document = capabilities.text_document
    completion = None if document is None else document.completion
    return completion is not None and bool(completion.dynamic_registration)
