"""How a document indents: with tabs or blanks, and by how many columns a level.

Reads the lines near the gap; knows nothing of middles or of languages.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, pairwise

from lsp_server.postprocess.gap import Gap, indent_of

_NUM_LINES = 200
"""Lines read on each side of the gap."""
_MAJORITY = 10
"""So many lines of one kind to one of the other, or the document has no style."""
_WIDTHS = (2, 3, 4, 8)


@dataclass(frozen=True, slots=True)
class IndentStyle:
    """One way to indent.

    Attributes:
        has_tabs: whether levels are tabs.
        width: columns of one level, 2 to 8; also the columns that a foreign tab stands for.
    """

    has_tabs: bool
    width: int

    def columns(self, indent: str) -> int:
        """Count the columns of leading blanks."""
        return len(indent.replace("\t", " " * self.width))

    def write(self, num_columns: int) -> str:
        """Write an indentation of `num_columns`; what is less than a level stays blanks."""
        if not self.has_tabs:
            return " " * num_columns
        return "\t" * (num_columns // self.width) + " " * (num_columns % self.width)


def style_near(gap: Gap) -> IndentStyle | None:
    """Return how the lines near the gap are indented; None when none is, or some so, some so."""
    above, below = gap.lines_above[-_NUM_LINES:], gap.lines_below[:_NUM_LINES]
    indents = [indent_of(line) for line in chain(above, (gap.line_prefix,), below)]
    num_tabs = sum(indent.startswith("\t") for indent in indents)
    num_blanks = sum(indent.startswith("  ") for indent in indents)
    if num_tabs == num_blanks == 0:
        return None
    if min(num_tabs, num_blanks) * _MAJORITY > max(num_tabs, num_blanks):
        return None
    if num_tabs >= num_blanks:
        return IndentStyle(has_tabs=True, width=4)
    return IndentStyle(has_tabs=False, width=width_of(indents) or 4)


def width_of(indents: Iterable[str]) -> int | None:
    """Return the columns by which blanks most often grow from line to line, None if never."""
    lengths = [len(indent) for indent in indents if "\t" not in indent]
    steps = Counter(after - before for before, after in pairwise(lengths))
    grown = [(steps[width], width) for width in _WIDTHS if steps[width]]
    return max(grown, key=lambda step: (step[0], -step[1]))[1] if grown else None
