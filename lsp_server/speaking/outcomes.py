"""What is asked of the speaker and what comes of it: plain data.

Every request has exactly one outcome in the end: an answer, or a reason why there is none. Knows
nothing of how an outcome is found.
"""

from dataclasses import dataclass
from typing import Literal

from lsp_server.speaking.gap import Gap, Selected, TextKind
from lsp_server.speaking.reasons import Withheld

Source = Literal["model", "shown", "neighbours"]


@dataclass(frozen=True, slots=True)
class Situation:
    """One request of the editor.

    Attributes:
        uri: the document, as the client names it.
        gap: the cursor.
        is_invoked: whether the user asked by hand.
        kind: what the cursor stands in.
        selected: the item selected in the completion menu, which an answer has to extend.
        withheld: why nothing may be suggested in this document at all; None when something may.
    """

    uri: str
    gap: Gap
    is_invoked: bool = False
    kind: TextKind = "code"
    selected: Selected | None = None
    withheld: Withheld | None = None

    def place(self) -> Gap | None:
        """Return the place to fill: the cursor, or behind the menu's item as if it were taken.

        None when that item does not fit where the cursor stands.
        """
        return self.gap if self.selected is None else self.selected.taken(self.gap)


@dataclass(frozen=True, slots=True)
class Answer:
    """Something to show.

    Attributes:
        text: what to put at the cursor, never empty; with `extends` it begins with that item's
            text and replaces what the item would have replaced.
        source: where it came from; "model" alone has cost a call.
        extends: the menu's item that was selected.
        confidence: probability that all of it is right, 0 to 1; None when nobody claims any.
    """

    text: str
    source: Source
    extends: Selected | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """The model has to be asked.

    Attributes:
        ticket: what the answer, or its failing, is reported by.
        place: what to fill; not the cursor when an item of the menu is extended.
        wait_ms: how long to wait for another key before that.
        is_speculated: whether this very place is being filled already: wait for that instead.
    """

    ticket: int
    place: Gap
    wait_ms: float = 0.0
    is_speculated: bool = False


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that the model is being asked for.

    Attributes:
        situation: as it came.
        ask: what was answered to it.
        asked_ms: when.
    """

    situation: Situation
    ask: Ask
    asked_ms: float
