"""Turns the engine's text into what is worth showing: a chain of small rules, each a pure function.

Each rule takes the middle and the text on its two sides, all with LF line endings, and returns the
middle or a shorter one; "" means that nothing is shown. Knows nothing of LSP or of the engine.
"""

import re
from collections.abc import Callable

from lsp_server.context import FillMode

Rule = Callable[[str, str, str], str]

_CLOSING_RUN = re.compile(r"""[ \t)\]}"'`;,:]*""")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def clean_middle(middle: str, prefix: str, suffix: str, mode: FillMode) -> str:
    """Apply every rule of `mode`, in order."""
    for rule in LINE_RULES if mode == "line" else BLOCK_RULES:
        middle = rule(middle, prefix, suffix)
    return middle


def cut_at_undecodable(middle: str, prefix: str, suffix: str) -> str:
    """Stop before U+FFFD or NUL: the model wrote bytes that are no text."""
    return re.split("[\ufffd\0]", middle, maxsplit=1)[0]


def cut_at_line_end(middle: str, prefix: str, suffix: str) -> str:
    """Keep the first line only."""
    return re.split(r"[\r\n]", middle, maxsplit=1)[0]


def drop_repeated_rest_of_line(middle: str, prefix: str, suffix: str) -> str:
    """Drop from the end what already follows the cursor on its line: `a, b)` before `b)`."""
    rest = suffix.partition("\n")[0].strip()
    if not any(char.isalnum() for char in rest):
        return middle
    last_line = middle.rstrip()
    return last_line[: -len(rest)] if last_line.endswith(rest) else middle


def drop_doubled_closers(middle: str, prefix: str, suffix: str) -> str:
    """Drop closers from the end that follow the cursor already: `x)` before an auto-closed `)`.

    Kept is what the middle itself opened: the `)` of `f(x)` closes its own bracket.
    """
    following = _CLOSING_RUN.match(suffix.partition("\n")[0])
    closers_after = "".join(following.group().split()) if following else ""
    if not closers_after:
        return middle
    first = len(middle)
    while first > 0 and _CLOSING_RUN.fullmatch(middle[first - 1]):
        first -= 1
    for start in range(first, len(middle)):
        doubled = "".join(middle[start:].split())
        if doubled and closers_after.startswith(doubled) and not _opens(middle[:start], doubled):
            return middle[:start]
    return middle


def _opens(text: str, closers: str) -> bool:
    """Say whether `text` leaves open something that one of `closers` closes."""
    for closer in closers:
        if closer in _PAIRS and text.count(_PAIRS[closer]) > text.count(closer):
            return True
        if closer in "\"'`" and text.count(closer) % 2 == 1:
            return True
    return False


def drop_repeated_next_lines(middle: str, prefix: str, suffix: str) -> str:
    """Drop whole lines from the end that stand right below the cursor already.

    Lines are compared with their indentation: a `}` one level further in is another one.
    """
    rest_of_line, _, below = suffix.partition("\n")
    if rest_of_line.strip():
        return middle
    next_lines = [line.rstrip() for line in below.split("\n") if line.strip()]
    line_prefix = prefix.rpartition("\n")[2]
    lines = [line.rstrip() for line in (line_prefix + middle).rstrip().split("\n")]
    written = [(idx, line) for idx, line in enumerate(lines) if line]
    for num_repeated in range(min(len(written), len(next_lines)), 0, -1):
        tail = written[-num_repeated:]
        if [line for _, line in tail] == next_lines[:num_repeated]:
            kept = "\n".join((line_prefix + middle).split("\n")[: tail[0][0]])
            return kept[len(line_prefix) :].rstrip()
    return middle


def drop_trailing_blanks(middle: str, prefix: str, suffix: str) -> str:
    """Drop blanks from the end, except before more code on the same line."""
    rest_of_line = suffix.partition("\n")[0]
    return middle if rest_of_line.strip() else middle.rstrip()


def drop_if_blank(middle: str, prefix: str, suffix: str) -> str:
    """Show nothing rather than blanks."""
    return middle if middle.strip() else ""


LINE_RULES: tuple[Rule, ...] = (
    cut_at_undecodable,
    cut_at_line_end,
    drop_repeated_rest_of_line,
    drop_doubled_closers,
    drop_repeated_next_lines,
    drop_trailing_blanks,
    drop_if_blank,
)
BLOCK_RULES: tuple[Rule, ...] = (
    cut_at_undecodable,
    drop_repeated_rest_of_line,
    drop_doubled_closers,
    drop_repeated_next_lines,
    drop_trailing_blanks,
    drop_if_blank,
)
