"""Where someone has lately edited or looked: a small ring of places, by document and lines.

Knows nothing of the text at those places, which is read when it is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from lsp_server.documents import OpenDocument
from lsp_server.syntax_tree import LineEdit

MAX_PLACES = 16
MAX_PLACE_LINES = 20

_NEAR_LINES = 8  # edits so near each other are one
_VISIT_LINES = 5  # shown on each side of a place that was only looked at


@dataclass(frozen=True, slots=True)
class RecentPlace:
    """Lines of a document, both ends included."""

    document: OpenDocument
    first_line: int
    last_line: int
    kind: Literal["edited", "visited"]


class RecentPlaces:
    """The latest places, newest first."""

    def __init__(self) -> None:
        self._places: list[RecentPlace] = []

    def __iter__(self) -> Iterator[RecentPlace]:
        return iter(tuple(self._places))

    def note_edit(self, document: OpenDocument, edit: LineEdit) -> None:
        """Remember that lines were replaced; places below them move along."""
        shift = edit.num_new - edit.num_old
        if shift:
            self._places = [
                replace(
                    place,
                    first_line=max(edit.first, place.first_line + shift),
                    last_line=max(edit.first, place.last_line + shift),
                )
                if place.document is document and place.first_line >= edit.first + edit.num_old
                else place
                for place in self._places
            ]
        last = edit.first + max(0, edit.num_new - 1)
        self._remember(RecentPlace(document, edit.first, last, "edited"))

    def note_visit(self, document: OpenDocument, line_idx: int) -> None:
        """Remember that the cursor stood in a line."""
        first = max(0, line_idx - _VISIT_LINES)
        self._remember(RecentPlace(document, first, line_idx + _VISIT_LINES, "visited"))

    def forget(self, uri: str) -> None:
        """Drop the places of a document that was closed or replaced as a whole."""
        self._places = [place for place in self._places if place.document.uri != uri]

    def _remember(self, new: RecentPlace) -> None:
        kept: list[RecentPlace] = []
        for place in self._places:
            is_near = (
                place.document is new.document
                and place.first_line <= new.last_line + _NEAR_LINES
                and new.first_line <= place.last_line + _NEAR_LINES
            )
            if not is_near:
                kept.append(place)
            elif new.kind == "visited" and place.kind == "edited":
                new = place  # an edited place stays one when it is looked at
            elif new.kind == place.kind:
                new = _joined(new, place)
        self._places = [_bounded(new), *kept][:MAX_PLACES]


def _joined(new: RecentPlace, old: RecentPlace) -> RecentPlace:
    first = min(new.first_line, old.first_line)
    last = max(new.last_line, old.last_line)
    if last - first >= MAX_PLACE_LINES:
        return new
    return replace(new, first_line=first, last_line=last)


def _bounded(place: RecentPlace) -> RecentPlace:
    return replace(place, last_line=min(place.last_line, place.first_line + MAX_PLACE_LINES - 1))
