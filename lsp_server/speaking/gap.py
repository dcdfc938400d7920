"""The place that a request is about: the text on both sides of the cursor.

Plain data that every module of this package is keyed by. Knows nothing of documents, versions or
positions: whether two requests mean the same place is decided by their text alone.
"""

from dataclasses import dataclass
from typing import Literal

TextKind = Literal["code", "comment", "string"]
"""What the cursor stands in, as the syntax says."""

COMPARED_CHARS = 20_000
"""Characters on each side by which places are compared. What a caller cuts off a long document
moves as the user types, so whole sides can not be compared; an edit farther away than this changes
nothing that a model reads here."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A bare cursor in a text with LF line endings.

    Attributes:
        prefix: text before the cursor, as far as the caller keeps it.
        suffix: text after the cursor, likewise.
        language_id: LSP language identifier.
    """

    prefix: str
    suffix: str
    language_id: str = ""

    @property
    def line_prefix(self) -> str:
        """What stands before the cursor on its line."""
        return self.prefix[self.prefix.rfind("\n") + 1 :]

    @property
    def rest_of_line(self) -> str:
        """What stands after the cursor on its line."""
        return self.suffix.partition("\n")[0]

    def filled(self, text: str) -> "Gap":
        """Return the place behind `text` when that is put at the cursor."""
        return Gap(self.prefix + text, self.suffix, self.language_id)

    def is_same_place(self, other: "Gap") -> bool:
        """Say whether both stand in the same text, as far as it is compared."""
        return (
            self.language_id == other.language_id
            and self.prefix[-COMPARED_CHARS:] == other.prefix[-COMPARED_CHARS:]
            and self.suffix[:COMPARED_CHARS] == other.suffix[:COMPARED_CHARS]
        )

    def compared(self) -> "Gap":
        """Return the part by which places are compared: small enough to be kept."""
        return Gap(self.prefix[-COMPARED_CHARS:], self.suffix[:COMPARED_CHARS], self.language_id)


@dataclass(frozen=True, slots=True)
class Selected:
    """The item selected in the editor's completion menu, which a suggestion has to extend.

    Attributes:
        text: what the menu would insert.
        num_before: characters before the cursor that it would replace.
        num_after: characters after the cursor that it would replace.
    """

    text: str
    num_before: int
    num_after: int = 0

    def taken(self, gap: Gap) -> Gap | None:
        """Return the place behind the item as if it were taken; None when it does not fit there.

        It does not fit when it would replace more than the line has.
        """
        if self.num_before > len(gap.line_prefix) or self.num_after > len(gap.rest_of_line):
            return None
        kept = gap.prefix[: len(gap.prefix) - self.num_before]
        return Gap(kept + self.text, gap.suffix[self.num_after :], gap.language_id)
