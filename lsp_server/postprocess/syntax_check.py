"""Rule that shows no new syntax error: what adds one is cut back to the longest part that does not.

Only where there is a grammar. A half-typed document has errors already, so they are compared, not
forbidden: the document without the middle, or with a mere name in the gap if that is better.
"""

import re
from collections.abc import Iterator

from lsp_server.postprocess.brackets import find_unmatched
from lsp_server.postprocess.gap import Gap
from lsp_server.postprocess.parsing import ParsedGap, num_errors, parse_gap
from lsp_server.postprocess.syntax_endings import closing_endings, endings
from lsp_server.postprocess.words import is_word

_TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])")
_ONE_WORD = re.compile(r"\s*\w+")
_QUOTE = re.compile(r"[\"'`]|\*/")
_NOT_JUDGED = frozenset({"html", "markdown", "mysql", "postgres", "sql", "xml"})
"""Grammars that find errors in good text: in every 50th line of HTML, every 12th of SQL."""
_MOST_ERRORS = 3
"""More of them without the middle, and one more says nothing of it."""
_MOST_CUTS = 30
"""Shorter parts tried, each a parse of 0.1 to 0.3 ms: no answer may wait much longer for this."""


def cut_at_syntax_error(middle: str, gap: Gap) -> str:
    """Cut `middle` back until it adds no syntax error, line by line, then token by token.

    A middle that opens something it does not close is right as long as closing it makes it so.
    """
    is_plain = not middle.strip() or _ONE_WORD.fullmatch(middle)
    if is_plain or gap.language_id in _NOT_JUDGED:
        return middle
    parsed = parse_gap(gap)
    if parsed is None or parsed.num_errors_without > _MOST_ERRORS:
        return middle
    if parsed.is_in_text and not _QUOTE.search(middle):
        return middle
    if _adds_none(parsed, middle, endings(middle, gap)) or _closes_unseen(parsed, middle, gap):
        return middle
    for num_cuts, shorter in enumerate(_shorter_parts(middle)):
        if num_cuts == _MOST_CUTS:
            break
        glues = is_word(shorter[-1:], gap.language_id) and is_word(
            gap.rest_of_line[:1], gap.language_id
        )
        if not glues and _adds_none(parsed, shorter, closing_endings(shorter, gap)):
            return shorter
    return ""


def _adds_none(parsed: ParsedGap, middle: str, possible_endings: list[str]) -> bool:
    return any(
        num_errors(parsed.tree_with(middle + ending).root_node) <= parsed.num_errors_without
        for ending in possible_endings
    )


def _closes_unseen(parsed: ParsedGap, middle: str, gap: Gap) -> bool:
    """Say whether `middle` closes a block that was opened before the window: no error of its."""
    closes = any(middle[offset] == "}" for offset in find_unmatched(middle).closers)
    if not closes or parsed.is_whole_head:
        return False
    seen = parsed.head + middle
    return any(seen[offset] == "}" for offset in find_unmatched(seen, gap.language_id).closers)


def _shorter_parts(middle: str) -> Iterator[str]:
    """Yield the parts of `middle` from its start, from the longest down; each says something."""
    lines = middle.split("\n")
    for num_lines in range(len(lines) - 1, 0, -1):
        part = "\n".join(lines[:num_lines]).rstrip()
        if part:
            yield part
    tokens = [match.end() for match in _TOKEN.finditer(lines[0])]
    for end in reversed(tokens[:-1]):
        part = lines[0][:end]
        if any(map(str.isalnum, part)):
            yield part
