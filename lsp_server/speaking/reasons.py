"""Why nothing was suggested: the closed list of reasons, each with a sentence for the user.

The codes go into statistics and logs, so none of them ever holds code or a path. Knows nothing of
how a reason is found.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Reason = Literal[
    "not_open",
    "switched_off",
    "excluded",
    "read_only",
    "binary",
    "too_large",
    "after_deletion",
    "in_comment",
    "in_string",
    "inside_word",
    "inside_line",
    "menu",
    "nothing_to_say",
    "superseded",
    "text_changed",
    "cancelled",
    "engine_failed",
]

REASONS: tuple[Reason, ...] = get_args(Reason)

SENTENCES: dict[Reason, str] = {
    "not_open": "The document is not open.",
    "switched_off": "Suggestions are switched off here.",
    "excluded": "The file is excluded from suggestions.",
    "read_only": "The file can not be written.",
    "binary": "The file is binary.",
    "too_large": "The file is larger than suggestions are made for.",
    "after_deletion": "Text was deleted and nothing has been typed since.",
    "in_comment": "The cursor stands in a comment.",
    "in_string": "The cursor stands in a string.",
    "inside_word": "The cursor stands inside or right before a word.",
    "inside_line": "Code follows the cursor on its line.",
    "menu": "No suggestion fits the item selected in the completion menu.",
    "nothing_to_say": "The model had nothing to say that was worth showing.",
    "superseded": "A newer request took over.",
    "text_changed": "The text changed while the model was asked.",
    "cancelled": "The editor took its request back.",
    "engine_failed": "The engine gave no answer.",
}


@dataclass(frozen=True, slots=True)
class Withheld:
    """Nothing is suggested.

    Attributes:
        reason: which of the known reasons.
        sentence: the same for the user, who may be told more than the statistics are.
    """

    reason: Reason
    sentence: str

    @classmethod
    def because(cls, reason: Reason) -> "Withheld":
        """Withhold for `reason`, with its usual sentence."""
        return cls(reason, SENTENCES[reason])
