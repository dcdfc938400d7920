"""Whether this is a moment to suggest something unasked: what was done last, and where.

Asking by hand overrules everything here. Knows nothing of engines, of files or of what has been
suggested before.
"""

from dataclasses import dataclass
from typing import Literal

from lsp_server.speaking.gap import Gap, TextKind
from lsp_server.speaking.reasons import Reason

MidLinePolicy = Literal["always", "closers", "never"]

_CLOSERS = frozenset(" \t)]}>\"'`;,:{")
"""After a cursor before nothing but these, the line is as good as ended."""


@dataclass(frozen=True, slots=True)
class SpeakingPolicy:
    """What the user chose of all this.

    Attributes:
        in_comments: whether anything is suggested inside comments.
        in_strings: whether anything is suggested inside string literals.
        after_deletion: whether anything is suggested right after text was deleted.
        mid_line: where more follows on the line: suggest "always", "never", or only before
            "closers" and punctuation. Inside a word or right before one nothing is suggested.
        reuses: whether what has been answered before is answered from memory.
        speculates: whether the place behind a suggestion is filled while it is being read.
        speculation_confidence: least confidence, 0 to 1, of a suggestion worth building on.
    """

    in_comments: bool = False
    in_strings: bool = False
    after_deletion: bool = False
    reuses: bool = True
    mid_line: MidLinePolicy = "always"
    speculates: bool = True
    speculation_confidence: float = 0.7


class LastDone:
    """What the user did last in one document.

    Attributes:
        is_deletion: whether text was deleted and nothing has been typed since.
        is_acceptance: whether a suggestion was accepted and nothing has been typed since.
    """

    def __init__(self) -> None:
        self.is_deletion = False
        self.is_acceptance = False

    def on_edit(self, num_removed: int, inserted: str) -> None:
        """Note one change of the text, as the editor sent it.

        Args:
            num_removed: characters that went.
            inserted: text that came in their place; with any of it the change is no deletion.
        """
        if inserted:
            self.is_deletion = False
        elif num_removed > 0:
            self.is_deletion = True
        else:
            return
        self.is_acceptance = False

    def on_accept(self) -> None:
        """Note that a suggestion, or a part of one, was accepted."""
        self.is_acceptance = True
        self.is_deletion = False


def why_quiet(gap: Gap, kind: TextKind, last: LastDone, policy: SpeakingPolicy) -> Reason | None:
    """Say why nothing should be suggested unasked; None when something may be.

    Args:
        gap: the cursor; of an item selected in the completion menu, the place behind it.
        kind: what the cursor stands in.
        last: what was done last in the document.
        policy: the user's choice.
    """
    if last.is_deletion and not policy.after_deletion:
        return "after_deletion"
    if kind == "comment" and not policy.in_comments:
        return "in_comment"
    if kind == "string" and not policy.in_strings:
        return "in_string"
    if is_word_char(gap.suffix[:1]):
        return "inside_word"
    rest = gap.rest_of_line
    if rest.strip():
        if policy.mid_line == "never":
            return "inside_line"
        if policy.mid_line == "closers" and not _CLOSERS.issuperset(rest):
            return "inside_line"
    return None


def is_word_char(char: str) -> bool:
    """Say whether `char` can be part of a name; "" can not."""
    return char == "_" or char.isalnum()
