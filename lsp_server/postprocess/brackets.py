"""Finds the brackets and quotes that a piece of code leaves open or closes without having opened.

Reads characters only, skipping string literals: no grammar, no document. Never raises.
"""

import re
from dataclasses import dataclass

CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
OPENER_OF = {closer: opener for opener, closer in CLOSER_OF.items()}

_BRACKET = r"[()\[\]{}]"
_TRIPLE = r'"""(?:.|\n)*?"""' + r"|'''(?:.|\n)*?'''"
_DOUBLE = r'"(?:\\.|[^"\\\n])*"'
_SINGLE = r"'(?:\\.|[^'\\\n])*'"
_CHARACTER = r"'(?:\\[^\n]{1,8}?|[^'\\\n])'"
_BACKTICK = r"`(?:\\.|[^`\\])*`"
_STRINGS = re.compile("|".join((_TRIPLE, _DOUBLE, _SINGLE, _BACKTICK, _BRACKET)))
_CHARACTERS = re.compile("|".join((_TRIPLE, _DOUBLE, _CHARACTER, _BACKTICK, _BRACKET)))
_QUOTE = re.compile("|".join((_TRIPLE, '"""', "'''", _DOUBLE, _SINGLE, _BACKTICK, "[\"'`]")))

_ONE_CHARACTER_IN_SINGLE_QUOTES = frozenset(
    {"c", "cpp", "csharp", "go", "java", "kotlin", "rust", "scala", "swift"}
)
"""There a lone ' is a lifetime or a typing error, never the start of a long string."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """What a text leaves to its surroundings.

    Attributes:
        closers: offsets of the closing brackets that the text has not opened.
        openers: the opening brackets that it does not close, in order.
    """

    closers: tuple[int, ...]
    openers: str

    @property
    def closing(self) -> str:
        """The closers that the text lacks, in the order in which they must come."""
        return "".join(CLOSER_OF[opener] for opener in reversed(self.openers))


def find_unmatched(text: str, language_id: str = "") -> Unmatched:
    """Match the brackets of `text` outside its string literals."""
    pattern = _CHARACTERS if language_id in _ONE_CHARACTER_IN_SINGLE_QUOTES else _STRINGS
    closers: list[int] = []
    openers: list[str] = []
    for match in pattern.finditer(text):
        found = match.group()
        if found in CLOSER_OF:
            openers.append(found)
        elif found in OPENER_OF:
            if openers and openers[-1] == OPENER_OF[found]:
                openers.pop()
            else:
                closers.append(match.start())
    return Unmatched(tuple(closers), "".join(openers))


def open_quote(text: str) -> str:
    """Return the quote that opens a string which `text` does not close, "" when there is none.

    An apostrophe in a comment counts as a quote too: who asks must be content with that.
    """
    for match in _QUOTE.finditer(text):
        found = match.group()
        if found in ('"""', "'''", '"', "'", "`"):
            return found
    return ""
