"""Finds the code in a chat model's answer: what it thought, explained and fenced left out.

Pure functions of the answer so far. Knows nothing of the file the code is for.
"""

import re
from dataclasses import dataclass

_THOUGHT = ("<think>", "</think>")
_FENCE_LINE = re.compile(r"[ \t]*(`{3,}|~{3,})[^`\n]*")
_SENTENCE = re.compile(r"([A-Z][a-z']+|A|I)( [A-Za-z`'.,-]+){2,}( \S+)*[.:!]")
"""A whole line that begins with three words, the first with a capital, and ends as sentences do."""
_MAX_PROSE_CHARS = 500
_PROSE = re.compile(
    r"here('s| is| are|:)|(sure|certainly|of course|okay|ok)[,!.:]|below (is|are)\b|you can\b"
    r"|the (missing|following|completed?) (code|part|lines?|text|implementation)\b"
    r"|this (code|function|line|is|will)\b [a-z]|to (complete|fill|fix) \w|in this \w"
    r"|we (can|need|should)\b|i('ll|'ve| will| have| can| am) ",
    re.IGNORECASE,
)
"""How models begin to explain. Code that begins so, in any language, is rare."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code of an answer.

    Attributes:
        text: as far as it has come.
        is_closed: nothing that follows belongs to it.
        tail: its last characters that may turn out to be a fence.
    """

    text: str
    is_closed: bool = False
    tail: str = ""

    def settled_chars(self, body: str) -> int:
        """Characters of `body`, an end of `text`, that are sure to be code."""
        return max(0, len(body) - len(self.tail))


def code_of_answer(
    answer: str, is_whole: bool, fence: str = "```", may_explain: bool = True
) -> Code | None:
    """Return the code of an answer that begins anywhere; None while it has not begun.

    Args:
        answer: as far as it has come.
        is_whole: nothing more comes.
        fence: what closes code that was not opened by a fence.
        may_explain: words before the code are not the code.
    """
    opening, closing = _THOUGHT
    begun = answer.lstrip()
    if begun.startswith(opening):
        _, found, answer = answer.partition(closing)
        if not found:
            return Code("", is_closed=True) if is_whole else None
        begun = answer = answer.lstrip("\n")
    first, newline, rest = begun.partition("\n")
    if not newline and not is_whole:
        return None  # it can be a fence, prose or code
    if _FENCE_LINE.fullmatch(first):
        return code_until_fence(rest, is_whole, _fence_of(first))
    if not (may_explain and _is_prose(first.rstrip())):
        return code_until_fence(answer, is_whole, fence)
    return _code_behind_prose(first, rest, is_whole)


def _is_prose(line: str) -> bool:
    if len(line) > _MAX_PROSE_CHARS:
        return False
    return bool(_PROSE.match(line) or _SENTENCE.fullmatch(line))


def code_until_fence(answer: str, is_whole: bool, fence: str = "```") -> Code:
    """Return the code of an answer that begins with it: up to a closing fence or the end."""
    begin = 0
    while begin <= len(answer):
        end = answer.find("\n", begin)
        is_last = end < 0
        line = answer[begin:] if is_last else answer[begin:end]
        stripped = line.strip()
        if stripped.startswith(fence) and not stripped.strip(fence[0]):
            if not is_last or is_whole:
                return Code(answer[: max(0, begin - 1)], is_closed=True)
            break
        if is_last:
            break
        begin = end + 1
    last = answer[begin:]
    may_be_fence = not is_whole and not last.strip().strip(fence[0])
    # With the fence goes the line break before it.
    return Code(answer, tail=answer[max(0, begin - 1) :] if may_be_fence else "")


def _code_behind_prose(first: str, rest: str, is_whole: bool) -> Code | None:
    begin = 0
    while (end := rest.find("\n", begin)) >= 0:
        line = rest[begin:end]
        if _FENCE_LINE.fullmatch(line):
            return code_until_fence(rest[end + 1 :], is_whole, _fence_of(line))
        begin = end + 1
    if not is_whole:
        return None
    return Code(rest.lstrip("\n") if first.rstrip().endswith(":") else "", is_closed=True)


def _fence_of(line: str) -> str:
    found = _FENCE_LINE.fullmatch(line)
    return found[1] if found else "```"
