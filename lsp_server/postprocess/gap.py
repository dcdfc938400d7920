"""The gap that a middle is written for: the text on its two sides, and what the rules ask of it.

All text has LF line endings. Knows nothing of LSP, of the engine or of any rule.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from lsp_server.context import FillMode

NEAR_CHARS = 10_000
"""Characters on each side that are ever compared: a request may carry 200,000."""

_ONLY_CLOSERS = re.compile(r"""[\s)>}\]"'`]*[:{;,]?\s*""")


@dataclass(frozen=True)
class Gap:
    """One gap in one document.

    Attributes:
        prefix: text before the gap, LF line endings.
        suffix: text after the gap, LF line endings.
        mode: how much is filled.
        language_id: LSP language identifier; "" when unknown.
    """

    prefix: str
    suffix: str
    mode: FillMode = "line"
    language_id: str = ""

    @cached_property
    def line_prefix(self) -> str:
        """The cursor's line, up to the cursor."""
        return self.prefix[self.prefix.rfind("\n") + 1 :]

    @cached_property
    def rest_of_line(self) -> str:
        """The cursor's line, from the cursor on."""
        return self.suffix.partition("\n")[0]

    @cached_property
    def is_at_line_end(self) -> bool:
        """Whether nothing but blanks follows on the line."""
        return not self.rest_of_line.strip()

    @cached_property
    def is_mid_line(self) -> bool:
        """Whether more follows on the line than closers, as an editor puts them in by itself."""
        return _ONLY_CLOSERS.fullmatch(self.rest_of_line) is None

    @cached_property
    def lines_above(self) -> list[str]:
        """The lines above the cursor's that are not blank, without trailing blanks, in order."""
        above = self.prefix[: len(self.prefix) - len(self.line_prefix)][-NEAR_CHARS:]
        return [line.rstrip() for line in above.split("\n") if line.strip()]

    @cached_property
    def lines_below(self) -> list[str]:
        """The lines below the cursor's that are not blank, without trailing blanks, in order."""
        below = self.suffix[len(self.rest_of_line) + 1 :][:NEAR_CHARS]
        return [line.rstrip() for line in below.split("\n") if line.strip()]


Rule = Callable[[str, Gap], str]
"""Takes a middle, returns it or what is left of it; "" means that nothing is shown. Pure."""


def indent_of(line: str) -> str:
    """Return the blanks that `line` begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]
