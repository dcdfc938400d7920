"""Rules against doubled closing brackets and quotes: most editors put them in when one is opened.

Knows the cursor's line only; brackets are matched by characters, not by a grammar.
"""

import re

from lsp_server.postprocess.brackets import OPENER_OF, find_unmatched, open_quote
from lsp_server.postprocess.gap import Gap

_CLOSING_RUN = re.compile(r"""[ \t)\]}"'`;,:]*""")


def drop_doubled_closers(middle: str, gap: Gap) -> str:
    """Drop closers from the end that follow the cursor already: `x)` before an auto-closed `)`.

    Kept is what the middle itself opened: the `)` of `f(x)` closes its own bracket; and what the
    line still lacks: `foo(bar(` with one `)` behind it takes a second one.
    """
    closers_after = _closers_after(gap)
    if not closers_after:
        return middle
    first = len(middle)
    while first > 0 and _CLOSING_RUN.fullmatch(middle[first - 1]):
        first -= 1
    for start in range(first, len(middle)):
        doubled = "".join(middle[start:].split())
        if not doubled or not closers_after.startswith(doubled):
            continue
        if not _opens(middle[:start], doubled) and not _has_room_for(doubled, gap):
            return middle[:start]
    return middle


def cut_at_surplus_closer(middle: str, gap: Gap) -> str:
    """Stop where the middle closes what a closer behind the cursor closes: `a) {` before `)`.

    What comes after that closer belongs behind the one that is there. A middle that opens a
    bracket in return stays: `a), g(b` between `f(` and `)` is whole. Nothing is cut in a string.
    """
    closers_after = _closers_after(gap)
    if not closers_after or open_quote(gap.line_prefix):
        return middle
    unmatched = find_unmatched(middle, gap.language_id)
    for offset in unmatched.closers:
        closer = middle[offset]
        is_given_back = OPENER_OF[closer] in unmatched.openers
        if closer in closers_after and not is_given_back and not _has_room_for(closer, gap):
            return middle[:offset]
    return middle


def _closers_after(gap: Gap) -> str:
    """Return the closers right behind the cursor, without blanks."""
    following = _CLOSING_RUN.match(gap.rest_of_line)
    return "".join(following.group().split()) if following else ""


def _has_room_for(closers: str, gap: Gap) -> bool:
    """Say whether the line before the cursor opens more brackets than those behind it close."""
    brackets = [closer for closer in closers if closer in OPENER_OF]
    if not brackets:
        return False
    opened = find_unmatched(gap.line_prefix, gap.language_id).openers
    closed = _closers_after(gap)
    return all(
        opened.count(OPENER_OF[closer]) - closed.count(closer) >= brackets.count(closer)
        for closer in brackets
    )


def _opens(text: str, closers: str) -> bool:
    """Say whether `text` leaves open something that one of `closers` closes."""
    for closer in closers:
        if closer in OPENER_OF and text.count(OPENER_OF[closer]) > text.count(closer):
            return True
        if closer in "\"'`" and text.count(closer) % 2 == 1:
            return True
    return False
