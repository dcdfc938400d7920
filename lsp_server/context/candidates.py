"""What could be shown to the model beside the cursor's surroundings, and how useful each is.

Collects, for one place, from the document itself what is too far from the cursor to be in the
prompt anyway, and from other open documents what the surroundings name or where someone has just
worked. Knows nothing of budgets or of earlier choices.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from infill_engine.api import Snippet
from lsp_server.context.definition_index import IndexedDocument
from lsp_server.context.definitions import outline_of
from lsp_server.context.recent_places import RecentPlaces
from lsp_server.context.scopes import (
    PlaceInTree,
    Scope,
    import_lines,
    names_in,
    sibling_signatures,
)
from lsp_server.documents import OpenDocument
from lsp_server.languages import syntax_of

_SURROUNDING_LINES = (40, 20)  # before and after the cursor, whose names are looked up
_MAX_IMPORTS = 6
_MAX_SAME_NAME = 3  # definitions of one name that are worth showing

# Scores: what the cursor is within comes first, then what its code names, then guesses.
_ENCLOSING = 6.0
_IMPORTS = 5.0
_NAMED = 3.0  # to 4.0, the nearer to the cursor the name stands
_IMPORTED = 2.5
_RECENT_EDIT = 2.4
_NAMED_SIBLING = 2.2
_NAMED_MINOR = 1.5  # a member or constant: such names are often someone else's
_VISIT = 1.0
_SIBLING = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A snippet and its score; more is more useful. `key` orders those with the same score."""

    snippet: Snippet
    score: float
    key: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The place for which candidates are wanted.

    Attributes:
        document: with the cursor.
        shown: the documents whose text may be shown.
        line_idx: the cursor's line.
        near: first and last line that the prompt holds anyway.
        in_tree: the place in the document's tree, None where there is none.
        scopes: the definitions around it, outermost first.
        path_of: the path to show for a document's URI.
    """

    document: OpenDocument
    shown: Sequence[OpenDocument]
    line_idx: int
    near: tuple[int, int]
    in_tree: PlaceInTree | None
    scopes: Sequence[Scope]
    path_of: Callable[[str], str]


def candidates_for(
    place: Surroundings, indexed: Sequence[IndexedDocument], recent: RecentPlaces
) -> list[Candidate]:
    """Return what could be shown at a place, the most useful first, without duplicates."""
    named = _names_around(place)
    imports = import_lines(place.in_tree) if place.in_tree is not None else []
    found = [
        *_from_own_file(place, named, imports),
        *_named_elsewhere(place, indexed, named, imports),
        *_recent(place, recent),
    ]
    found.sort(key=lambda candidate: (-candidate.score, candidate.key))
    kept: dict[str, Candidate] = {}
    for candidate in found:
        if candidate.snippet.text.strip():
            kept.setdefault(candidate.snippet.text, candidate)
    return list(kept.values())


def _from_own_file(
    place: Surroundings, named: dict[str, float], imports: list[tuple[int, str]]
) -> Iterator[Candidate]:
    if place.in_tree is None:
        return
    path = place.path_of(place.document.uri)
    headers = [s.header for s in place.scopes if s.first_line < place.near[0]]
    if headers:
        yield Candidate(Snippet(path, "\n".join(headers)), _ENCLOSING, (path, 0))
    unseen = [text for line, text in imports if line < place.near[0]]
    used = [text for text in unseen if not named.keys().isdisjoint(names_in(text))] or unseen
    if used:
        yield Candidate(Snippet(path, "\n".join(used[:_MAX_IMPORTS])), _IMPORTS, (path, 0))
    for line, name, signature in sibling_signatures(place.in_tree, place.scopes):
        if not place.near[0] <= line <= place.near[1]:
            distance = abs(line - place.line_idx)
            score = _NAMED_SIBLING if name in named else _SIBLING / (1 + distance / 100)
            yield Candidate(Snippet(path, signature), score, (path, line))


def _named_elsewhere(
    place: Surroundings,
    indexed: Sequence[IndexedDocument],
    named: dict[str, float],
    imports: list[tuple[int, str]],
) -> Iterator[Candidate]:
    imported = {name for _, text in imports for name in names_in(text)}
    for other in indexed:
        syntax = syntax_of(other.document.language_id)
        if other.document is place.document or syntax is None:
            continue
        path = place.path_of(other.document.uri)
        # Who sees a class sees its members' signatures: these alone only where it is not shown.
        shown = {
            definition.outer.start_byte
            for name in (named.keys() | imported) & other.by_name.keys()
            for definition in other.by_name[name]
        }
        for name in sorted((named.keys() | imported) & other.by_name.keys()):
            for definition in other.by_name[name][:_MAX_SAME_NAME]:
                container = definition.container
                if container is not None and (name not in named or container.start_byte in shown):
                    continue
                score = _IMPORTED
                if name in named:
                    is_minor = container is not None or definition.node.type in syntax.values
                    score = _NAMED_MINOR if is_minor else _NAMED + named[name]
                text = outline_of(definition, syntax, other.lines)
                line = definition.outer.start_point.row
                yield Candidate(Snippet(path, text), score, (path, line))


def _recent(place: Surroundings, recent: RecentPlaces) -> Iterator[Candidate]:
    for age, seen in enumerate(recent):
        document = seen.document
        if document not in place.shown:
            continue
        first = max(0, seen.first_line)
        last = min(seen.last_line, len(document.lines) - 1)
        if document is place.document and first <= place.near[1] and last >= place.near[0]:
            continue
        text = "".join(document.lines[first : last + 1])
        text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
        score = (_RECENT_EDIT if seen.kind == "edited" else _VISIT) - age * 0.02
        path = place.path_of(document.uri)
        yield Candidate(Snippet(path, text), score, (path, seen.first_line))


def _names_around(place: Surroundings) -> dict[str, float]:
    """Return the names near the cursor, with 0 to 1 for how near."""
    num_before, num_after = _SURROUNDING_LINES
    lines = place.document.lines
    nearness: dict[str, float] = {}
    first = max(0, place.line_idx - num_before)
    for line_idx in range(first, min(len(lines), place.line_idx + num_after + 1)):
        near = 1 / (1 + abs(line_idx - place.line_idx) / 10)
        for name in names_in(lines[line_idx][:1000]):
            nearness[name] = max(near, nearness.get(name, 0.0))
    return nearness
