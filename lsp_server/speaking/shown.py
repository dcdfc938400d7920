"""Goes on with what is shown while the user types it: the rest comes from memory, not the model.

The same memory answers after deleting back, after an undo and after accepting a word or a line:
all that counts is that the text is what it was when the suggestion was made, with a beginning of
the suggestion typed into it. Knows nothing of versions, of time or of who typed.
"""

from collections import deque
from dataclasses import dataclass

from lsp_server.speaking.gap import COMPARED_CHARS, Gap

NUM_KEPT = 4
"""Suggestions remembered per document: a wrong key and its correction lie a few apart."""
_PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'", "`": "`"}
_CLOSERS = frozenset(_PAIRS.values())
_MAX_AUTO_CLOSED_CHARS = 200
"""What an editor closes by itself: brackets, and the line and indentation of a closing brace."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion that is or was before the user's eyes.

    Attributes:
        gap: where, cut to what is compared.
        text: what was suggested there.
        confidence: probability that all of it is right, 0 to 1; None when nobody claims any.
        is_invoked: whether it was asked for by hand.
    """

    gap: Gap
    text: str
    confidence: float | None = None
    is_invoked: bool = False


class ShownMemory:
    """The latest suggestions of one document, newest first."""

    def __init__(self) -> None:
        self._shown: deque[Shown] = deque(maxlen=NUM_KEPT)

    def remember(self, shown: Shown) -> None:
        """Keep a suggestion that is being shown. Modifies: self."""
        kept = Shown(shown.gap.compared(), shown.text, shown.confidence, shown.is_invoked)
        self._shown.appendleft(kept)

    def recall(self, gap: Gap) -> tuple[Shown, str] | None:
        """Return the newest suggestion that goes on at `gap`, and what is left of it there.

        What is left may be "": then all of it stands there up to a bracket that the editor closed.
        """
        for shown in self._shown:
            rest = rest_at(shown, gap)
            if rest is not None:
                return shown, rest
        return None

    def bring_forward(self, shown: Shown) -> None:
        """Take one of these as the newest: it is before the user's eyes again. Modifies: self."""
        self._shown.remove(shown)
        self._shown.appendleft(shown)


def rest_at(shown: Shown, gap: Gap) -> str | None:
    """Return what is left of a suggestion to type at `gap`, None when it does not go on there.

    With the rest put in, the text is what it would be with the whole suggestion accepted where it
    was made. Only where the editor closed a bracket in the middle of the suggestion, the rest ends
    before that; the remainder follows when the user has typed past the bracket.
    """
    if shown.gap.language_id != gap.language_id:
        return None
    added = _added_before(shown.gap.suffix, gap.suffix)
    if added is None:
        return None
    for num_typed in range(len(shown.text)):
        typed = shown.text[:num_typed]
        if not gap.prefix.endswith(typed):
            continue
        before = gap.prefix[: len(gap.prefix) - num_typed]
        if before[-COMPARED_CHARS:] == shown.gap.prefix:
            return _before_auto_closed(typed, shown.text[num_typed:], added)
    return None


def _added_before(old: str, new: str) -> str | None:
    """Return what was put before `old` to make `new`; None when that is not what happened.

    Both are cut at the same length, so the end of `old` may be missing in `new`.
    """
    if new[:COMPARED_CHARS] == old:
        return ""
    if len(old) < COMPARED_CHARS:
        num_added = len(new) - len(old)
        if 0 < num_added <= _MAX_AUTO_CLOSED_CHARS and new.endswith(old):
            return new[:num_added]
        return None
    for num_added in range(1, _MAX_AUTO_CLOSED_CHARS + 1):
        if new.startswith(old, num_added):
            return new[:num_added]
    return None


def _before_auto_closed(typed: str, rest: str, added: str) -> str | None:
    """Return the part of `rest` that belongs before what the editor closed; None if it is not that.

    Args:
        typed: the beginning of the suggestion that stands before the cursor.
        rest: what follows in the suggestion.
        added: what came to stand after the cursor since.
    """
    if not added:
        return rest
    closers = "".join(added.split())
    if not closers or not _CLOSERS.issuperset(closers):
        return None
    if rest.endswith(added):
        return rest[: -len(added)]
    not_closed = _not_closed(_open_at_end(typed), closers)
    if not_closed is None:
        return None
    end = _first_closer(rest, closers[0], not_closed)
    if end is None:
        return None
    return rest[:end].rstrip() if added[0].isspace() else rest[:end]


def _not_closed(opened: list[str], closers: str) -> list[str] | None:
    """Return what is open inside the innermost bracket that the editor closed, innermost last.

    Accepted text brings brackets that the editor does not close: not all that is open needs to be
    closed. None when `closers`, innermost first, close anything that is not open.

    Args:
        opened: the closers of what is open, innermost last.
    """
    still_open = list(opened)
    for closer in reversed(closers):
        if closer not in still_open:
            return None
        del still_open[: still_open.index(closer) + 1]
    return still_open


def _open_at_end(text: str) -> list[str]:
    """Return the closers of what `text` leaves open, innermost last."""
    closers: list[str] = []
    for char in text:
        if closers and char == closers[-1]:
            closers.pop()
        elif char in _PAIRS and not (closers and closers[-1] in "\"'`"):
            closers.append(_PAIRS[char])
    return closers


def _first_closer(text: str, closer: str, opened: list[str]) -> int | None:
    """Find the closer in `text` that closes what was open before `opened`, innermost last."""
    depth = list(opened)
    for idx, char in enumerate(text):
        if not depth and char == closer:
            return idx
        if depth and char == depth[-1]:
            depth.pop()
        elif char in _PAIRS and closer not in "\"'`" and not (depth and depth[-1] in "\"'`"):
            depth.append(_PAIRS[char])
    return None
