"""Line endings at the edge: all rules read LF, a CRLF document is to get CRLF.

For whoever replaces text, as rewriting does; no rule of the chain uses it. Knows nothing of LSP.
"""

from collections.abc import Iterable


def line_ending_of(lines: Iterable[str]) -> str:
    """Return the document's line ending: that of its first line that has one, else LF.

    Args:
        lines: lines that keep their endings, as OpenDocument has them.
    """
    for line in lines:
        for ending in ("\r\n", "\n", "\r"):
            if line.endswith(ending):
                return ending
    return "\n"


def with_line_ending(middle: str, ending: str) -> str:
    """Return `middle`, which has LF, with `ending` in place of each LF."""
    return middle if ending == "\n" else middle.replace("\n", ending)
