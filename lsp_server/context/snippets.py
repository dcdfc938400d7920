"""Chooses what else to show the model, and sticks to it while someone types.

Snippets stand at the head of the prompt: whenever one changes, the engine must read everything
behind it again. So a choice holds until the cursor is in another definition or another document has
changed, and a new choice keeps what it can of the old one, in place. Knows nothing of LSP.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from infill_engine.api import Snippet
from lsp_server.context.candidates import Candidate, Surroundings, candidates_for
from lsp_server.context.definition_index import DefinitionIndex
from lsp_server.context.recent_places import RecentPlaces
from lsp_server.context.scopes import enclosing_scopes, place_in_tree
from lsp_server.documents import OpenDocument
from lsp_server.languages import syntax_of
from lsp_server.syntax_tree import BUDGET_MS

CHARS_PER_TOKEN = 3.2
"""Of code, roughly and for most vocabularies; a little low, so that budgets are kept."""
BUDGET_TOKENS = 768
"""All snippets together. An engine with less room drops the last ones."""
NEAR_CHARS = (2400, 1200)
"""Before and after the cursor: so much of the document any engine's prompt holds anyway."""

_MAX_SNIPPET_TOKENS = 256  # of one; more says little and pushes the others out
_MAX_SNIPPETS = 16
_STAY_LINES = 40  # so far from where it was made, a choice may outlive its scope
_TOKENS_PER_SNIPPET = 8  # path and markers


def estimate_tokens(text: str) -> int:
    """Guess how many tokens a text is, 0 or more."""
    return round(len(text) / CHARS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What was chosen in a document, and for which place."""

    scopes: tuple[tuple[str, str], ...] | None
    others: tuple[tuple[str, int], ...]
    line_idx: int
    snippets: tuple[Snippet, ...]


class SnippetChooser:
    """The choices for all open documents.

    Attributes:
        recent: where someone has lately edited; to be told of every edit.
    """

    def __init__(
        self,
        budget_tokens: int = BUDGET_TOKENS,
        count_tokens: Callable[[str], int] = estimate_tokens,
        parse_budget_ms: float | None = BUDGET_MS,
    ) -> None:
        self.recent = RecentPlaces()
        self._budget_tokens = budget_tokens
        self._count_tokens = count_tokens
        self._parse_budget_ms = parse_budget_ms
        self._index = DefinitionIndex()
        self._choices: dict[str, _Choice] = {}

    def choose(
        self,
        document: OpenDocument,
        line_idx: int,
        char_offset: int,
        open_documents: Iterable[OpenDocument],
        path_of: Callable[[str], str],
        budget_tokens: int | None = None,
    ) -> tuple[Snippet, ...]:
        """Return the snippets for a place, most useful first; within the token budget.

        Costs next to nothing while the choice holds, a few milliseconds when it does not.

        Args:
            document: with the cursor.
            line_idx: the cursor's line.
            char_offset: the cursor's place in it, in code points.
            open_documents: those whose text may be shown, and no others; may hold `document`.
            path_of: the path to show for a URI.
            budget_tokens: of all snippets together; None takes the chooser's own.
        """
        if budget_tokens is not None:
            self._budget_tokens = budget_tokens
        documents = list(open_documents)
        self.recent.note_visit(document, line_idx)
        syntax = syntax_of(document.language_id)
        family = syntax.family if syntax else ""
        others = [other for other in documents if other is not document]
        indexed = self._index.refresh(others, family, self._parse_budget_ms)
        versions = tuple((other.document.uri, other.version) for other in indexed)
        in_tree = place_in_tree(document, line_idx, char_offset, self._parse_budget_ms)
        scopes = None if in_tree is None else enclosing_scopes(in_tree)
        names = None if scopes is None else tuple((scope.kind, scope.name) for scope in scopes)
        last = self._choices.get(document.uri)
        is_near = last is not None and abs(line_idx - last.line_idx) <= _STAY_LINES
        if last is not None and last.others == versions:
            view = document.gap_view(line_idx, char_offset)
            is_broken = view is not None and view.is_broken
            if names == last.scopes or (is_near and (is_broken or _is_outward(names, last.scopes))):
                return last.snippets
        place = Surroundings(
            document=document,
            shown=documents,
            line_idx=line_idx,
            near=_near_lines(document, line_idx),
            in_tree=in_tree,
            scopes=scopes or (),
            path_of=path_of,
        )
        ranked = candidates_for(place, indexed, self.recent)
        # After a jump the rest of the prompt is new anyway, and what is most useful comes first.
        previous = last.snippets if last is not None and is_near else ()
        snippets = self._within_budget(ranked, previous)
        self._choices[document.uri] = _Choice(names, versions, line_idx, snippets)
        return snippets

    def forget(self, uri: str) -> None:
        """Drop what is kept of a document that was closed."""
        self.recent.forget(uri)
        self._index.forget(uri)
        self._choices.pop(uri, None)

    def _within_budget(
        self, ranked: Sequence[Candidate], previous: Sequence[Snippet]
    ) -> tuple[Snippet, ...]:
        """Fill the budget; what was shown before and is still worth it stays where it was."""
        worth_it = self._first_within([c.snippet for c in ranked], 2 * self._budget_tokens)
        staying = [snippet for snippet in previous if snippet in worth_it]
        coming = [snippet for snippet in worth_it if snippet not in staying]
        return tuple(self._first_within([*staying, *coming], self._budget_tokens)[:_MAX_SNIPPETS])

    def _first_within(self, snippets: Iterable[Snippet], budget_tokens: int) -> list[Snippet]:
        kept: list[Snippet] = []
        for snippet in snippets:
            num_tokens = self._count_tokens(snippet.text) + _TOKENS_PER_SNIPPET
            if num_tokens <= min(budget_tokens, _MAX_SNIPPET_TOKENS):
                budget_tokens -= num_tokens
                kept.append(snippet)
        return kept


def _is_outward(
    names: tuple[tuple[str, str], ...] | None, last: tuple[tuple[str, str], ...] | None
) -> bool:
    """Say whether the cursor only left inner definitions, or the syntax is not there any more."""
    if names is None:
        return last is not None
    return last is not None and len(names) < len(last) and last[: len(names)] == names


def _near_lines(document: OpenDocument, line_idx: int) -> tuple[int, int]:
    """Return the first and last line that any prompt holds."""
    first, num_chars = line_idx, 0
    while first > 0 and num_chars + len(document.lines[first - 1]) <= NEAR_CHARS[0]:
        first -= 1
        num_chars += len(document.lines[first])
    last, num_chars = line_idx, 0
    while last + 1 < len(document.lines):
        num_chars += len(document.lines[last + 1])
        if num_chars > NEAR_CHARS[1]:
            break
        last += 1
    return first, last
