"""Cuts a model's answer to the missing middle: no fence, no prose, nothing the file has already.

A pure function of the answer so far, so that how a stream was cut into pieces can not matter. Each
rule holds back what more text could change: what it calls settled is only ever extended. Knows
nothing of HTTP or of prompts.
"""

import re
from dataclasses import dataclass

from infill_client.openai.fences import Code, code_of_answer, code_until_fence
from infill_client.openai.repeats import PrefixRepeats, SuffixRepeats
from infill_client.openai.sides import line_before, num_common, rest_of_line, trailing_blanks
from infill_engine.api import InfillRequest

_LANGUAGES_OF_PROSE = ("markdown", "plaintext", "")
_BREAK = re.compile(r"\w+\Z")


@dataclass(frozen=True, slots=True)
class Cut:
    """The middle as it stands.

    Attributes:
        text: the middle if the answer ended here.
        settled_chars: leading characters of `text` that no further answer changes, whole words.
        is_ended: no further answer changes anything.
    """

    text: str
    settled_chars: int
    is_ended: bool = False


class AnswerCutter:
    """Cuts the answers to one request."""

    def __init__(
        self, request: InfillRequest, is_chat: bool, is_continued: bool, fence: str = "```"
    ) -> None:
        """Take what the cut depends on.

        Args:
            request: the gap.
            is_chat: the answer is a chat model's, which may fence and explain; else raw text.
            is_continued: the answer goes on where the prefix ends, so it opens no fence.
            fence: what closes the code of an answer that opened none itself.
        """
        self._request = request
        self._fence = fence
        self._is_chat = is_chat
        self._is_continued = is_continued
        is_rewrite = request.mode == "rewrite"
        self._before = PrefixRepeats("" if is_rewrite else request.prefix)
        self._after = SuffixRepeats("" if is_rewrite else request.suffix)
        self._rest = "" if is_rewrite else rest_of_line(request.suffix)
        self._is_own_line = not line_before(request.prefix).strip()

    def cut(self, answer: str, is_whole: bool) -> Cut:
        """Return the middle that an answer holds.

        Args:
            answer: all of it that has come.
            is_whole: nothing more comes.
        """
        code = self._code(_as_text(answer, is_whole), is_whole)
        if code is None:
            return Cut("", 0)
        is_done = is_whole or code.is_closed
        if self._request.mode == "rewrite":
            return self._rewritten(code, is_done)
        body = self._without_what_is_before(code.text, is_done)
        if body is None:
            return Cut("", 0)
        body, settled_chars, is_repeat = self._after.cut(body, is_done, self._is_own_line)
        is_done = is_done or is_repeat
        line, newline, _ = body.partition("\n")
        if self._request.mode == "line" and newline and (is_done or settled_chars >= len(line)):
            body, is_done = line, True
        if is_done:
            body = self._without_end(body)
            return Cut(body, len(body), is_ended=True)
        sure = body[: min(settled_chars, code.settled_chars(body))].rstrip()
        sure = sure[: len(sure) - _overlap(sure, self._rest)]
        return Cut(body, len(_BREAK.sub("", sure)))

    def _code(self, answer: str, is_whole: bool) -> Code | None:
        """Return the code of an answer; None while it is not known where that begins."""
        if not self._is_chat:
            return Code(answer)
        if self._is_continued:
            return code_until_fence(answer, is_whole, self._fence)
        may_explain = self._request.language_id not in _LANGUAGES_OF_PROSE
        return code_of_answer(answer, is_whole, self._fence, may_explain)

    def _rewritten(self, code: Code, is_done: bool) -> Cut:
        selection = self._request.selection
        # The indentation of a selection that begins behind it stands there already.
        blanks = "" if selection[:1] in (" ", "\t") else trailing_blanks(self._request.prefix)
        text = code.text[num_common(code.text, blanks) :]
        if is_done:
            # The selection's own line end: what follows it must not join the last line.
            text = text.rstrip("\n") + selection[len(selection.rstrip("\n")) :]
            return Cut(text, len(text), code.is_closed)
        sure = text[: code.settled_chars(text)].rstrip()
        return Cut(text, len(_BREAK.sub("", sure)))

    def _without_what_is_before(self, code: str, is_done: bool) -> str | None:
        """Drop what repeats the text before the gap; None while that can not be told."""
        if not self._is_chat:
            return code
        if self._is_own_line:
            code = code.lstrip("\n") if code.strip() else ""
        kept = self._before.drop(code, is_done)
        if kept is None:
            return None
        was_repeated = kept != code
        kept = kept.lstrip("\n") if self._is_own_line else kept
        blanks = trailing_blanks(self._request.prefix)
        if not is_done and blanks.startswith(kept) and kept != blanks:
            return None
        kept = kept if was_repeated else kept[num_common(kept, blanks) :]
        if not self._is_continued and not was_repeated and self._begins_a_block(kept):
            kept = "\n" + kept
        return kept

    def _begins_a_block(self, code: str) -> bool:
        """Whether the code is the indented block below the gap's line, without its line break."""
        line = line_before(self._request.prefix)
        indent = code[: len(code) - len(code.lstrip(" \t"))]
        own_indent = line[: len(line) - len(line.lstrip(" \t"))]
        return bool(line.strip()) and len(indent) >= 2 and len(indent) > len(own_indent)

    def _without_end(self, body: str) -> str:
        # A model that was given the suffix as such ends the middle where that begins, blanks too.
        body = body.rstrip() if self._is_chat else body
        return body.removesuffix(self._rest) if self._rest else body


def _overlap(text: str, rest: str) -> int:
    """How many of the last characters of `text` may be the beginning of `rest`."""
    return next((n for n in range(min(len(text), len(rest)), 0, -1) if text.endswith(rest[:n])), 0)


def _as_text(answer: str, is_whole: bool) -> str:
    """Return valid Unicode with LF line ends; half a character at the end waits for its other."""
    text = answer.replace("\r", "")
    if text.isascii():
        return text
    if not is_whole and "\ud800" <= text[-1:] <= "\udbff":
        text = text[:-1]
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
