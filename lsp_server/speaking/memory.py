"""Everything a request can be answered from without asking the model, and what fills it ahead.

Joins shown.py, neighbours.py and speculation.py. Knows nothing of requests, of time or of what
the user did.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from lsp_server.speaking.gap import Gap
from lsp_server.speaking.neighbours import Neighbours, Remembered
from lsp_server.speaking.shown import Shown, ShownMemory


class Speculator(Protocol):
    """What speculation.py offers."""

    def start(self, uri: str, gap: Gap) -> None:
        """Begin to fill a gap in the background."""
        ...

    def is_running(self, uri: str, gap: Gap) -> bool:
        """Say whether this very gap is being filled."""
        ...

    def cancel(self, uri: str) -> None:
        """End what runs for a document."""
        ...

    def cancel_all(self) -> None:
        """End everything."""
        ...


@dataclass(frozen=True, slots=True)
class Recalled:
    """An answer from memory.

    Attributes:
        filled: what belongs in the gap.
        source: "shown" when it is the rest of what is before the user's eyes.
    """

    filled: Remembered
    source: Literal["shown", "neighbours"]


class Memory:
    """The answers of one session.

    Attributes:
        neighbours: by the text around them.
        speculation: fills in the background; None leaves that out.
    """

    def __init__(self) -> None:
        self.neighbours = Neighbours()
        self.speculation: Speculator | None = None
        self._shown: dict[str, ShownMemory] = {}

    def recall(self, uri: str, gap: Gap, is_invoked: bool) -> Recalled | None:
        """Return what is known to belong at `gap`, None when nothing is known.

        A text of "" says that what was shown stands there whole, up to a bracket after the cursor.
        Modifies: what counts as shown last.

        Who asks by hand wants what there is, not what was sure enough to be shown unasked: then
        only answers to asking by hand count.
        """
        shown_memory = self._shown.get(uri)
        found = shown_memory.recall(gap) if shown_memory else None
        if found is not None and (not is_invoked or (found[0].is_invoked and found[1])):
            shown, rest = found
            if shown_memory is not None:
                shown_memory.bring_forward(shown)
            return Recalled(Remembered(rest, shown.confidence, shown.is_invoked), "shown")
        known = self.neighbours.recall(uri, gap)
        if known is not None and (known.is_invoked or not is_invoked):
            return Recalled(known, "neighbours")
        return None

    def keep(self, uri: str, gap: Gap, filled: Remembered) -> None:
        """Keep an answer for whoever comes back to its place. Modifies: neighbours."""
        if filled.text:
            self.neighbours.remember(uri, gap, filled)

    def show(self, uri: str, gap: Gap, filled: Remembered, speculates: bool) -> None:
        """Remember a new suggestion as shown and, if wished, begin to fill the place behind it."""
        shown = Shown(gap, filled.text, filled.confidence, filled.is_invoked)
        self._shown.setdefault(uri, ShownMemory()).remember(shown)
        behind = gap.filled(filled.text)
        if self.speculation is None or not speculates:
            return
        if self.neighbours.recall(uri, behind) is None:
            self.speculation.start(uri, behind)

    def claim_engine(self, uri: str, gap: Gap, is_invoked: bool) -> bool:
        """End speculation, as a request needs the engine; but not when it is about this very place.

        Returns:
            Whether the place is being filled already. Never for who asks by hand: speculation
            leaves out what is not sure.
        """
        if self.speculation is None:
            return False
        if not is_invoked and self.speculation.is_running(uri, gap):
            return True
        self.speculation.cancel_all()
        return False

    def forget(self, uri: str) -> None:
        """Drop what is kept for a document that was closed."""
        self._shown.pop(uri, None)
        if self.speculation is not None:
            self.speculation.cancel(uri)

    def clear(self) -> None:
        """Drop everything."""
        self.neighbours.clear()
        self._shown.clear()
        if self.speculation is not None:
            self.speculation.cancel_all()
