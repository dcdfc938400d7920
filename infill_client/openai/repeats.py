"""Finds where an answer says what already stands on either side of the gap.

Pure functions of the answer so far: what can not be told yet is said to be so. Knows nothing of
fences or of how the answer came.
"""

from infill_client.openai.sides import num_common

_MAX_LINES = 20
_MIN_CHARS = 3
"""Of the text before the gap: less than that is begun with by chance."""
_MAX_LINES_ABOVE = 60
_MIN_LINE_CHARS = 6
_NOT_THERE = "\0"
"""No code holds it."""
_TELLING_CHARS = 10
"""A line of the suffix at least that long is not written again by chance; shorter ones by two."""


class PrefixRepeats:
    """What an answer may repeat of the text before the gap: its last lines, or some before them.

    A model that writes a whole function anew begins with one of the lines above the gap and comes
    to the gap's own line later.
    """

    def __init__(self, prefix: str) -> None:
        lines = prefix.split("\n")
        last = lines[-_MAX_LINES:]
        tails = ["\n".join(last[-num_lines:]) for num_lines in range(len(last), 0, -1)]
        self._tails = [_Tail(tail) for tail in tails if len(tail.strip()) >= _MIN_CHARS]
        above = {line.strip() for line in lines[-_MAX_LINES_ABOVE:-1]}
        self._above = {line for line in above if len(line) >= _MIN_LINE_CHARS}

    def drop(self, code: str, is_whole: bool) -> str | None:
        """Return the code without what it repeats; None while that is open."""
        body = code.lstrip()
        for tail in self._tails:  # the longest first
            found = tail.cut_from(body, is_whole)
            if found is not _NOT_THERE:
                return found
        if not self._tails:
            return code
        first, newline, _ = body.partition("\n")
        if not newline and not is_whole:
            may_repeat = any(line.startswith(first.rstrip()) for line in self._above)
            return None if may_repeat else code
        return self._drop_from_above(code, body, is_whole) if first.strip() in self._above else code

    def _drop_from_above(self, code: str, body: str, is_whole: bool) -> str | None:
        gap_line = self._tails[-1]
        begin = body.find("\n") + 1
        while begin > 0:
            found = gap_line.cut_from(body[begin:].lstrip(" \t"), is_whole)
            if found is not _NOT_THERE:
                return found
            begin = body.find("\n", begin) + 1
        return code if is_whole else None


class _Tail:
    """The last lines of the text before the gap."""

    def __init__(self, text: str) -> None:
        self._told = text.strip()
        self._blanks = text[len(text.rstrip()) :]

    def cut_from(self, body: str, is_whole: bool) -> str | None:
        """Return what follows the lines at the beginning of `body`.

        None while it is not known whether they stand there, `_NOT_THERE` when they do not.
        """
        if body.startswith(self._told):
            rest = body[len(self._told) :]
            if not is_whole and self._blanks.startswith(rest) and rest != self._blanks:
                return None
            if "\n" not in self._blanks or rest.startswith("\n") or not rest:
                return rest[num_common(rest, self._blanks) :]
        elif not is_whole and self._told.startswith(body):
            return None
        return _NOT_THERE


class SuffixRepeats:
    """The lines below the gap, at which an answer ends that comes to write them again."""

    def __init__(self, suffix: str) -> None:
        below = suffix.partition("\n")[2]
        self._lines = [line.strip() for line in below.split("\n", 200)[:200] if line.strip()][:2]

    def cut(self, code: str, is_whole: bool, is_own_line: bool) -> tuple[str, int, bool]:
        """Cut the code where it repeats.

        Args:
            code: as far as it has come.
            is_whole: nothing more comes.
            is_own_line: its first line stands alone on the gap's line.

        Returns:
            The code, how many of its leading characters are sure, and whether it was cut.
        """
        if not self._lines:
            return code, len(code), False
        lines = code.split("\n")
        begin = 0
        for line_idx, line in enumerate(lines):
            if line_idx or is_own_line:
                says = self._repeats_at(lines, line_idx, is_whole)
                if says:
                    return code[: max(0, begin - 1)].rstrip("\n"), 0, True
                if says is None:
                    return code, len(code[: max(0, begin - 1)].rstrip("\n")), False
            begin += len(line) + 1
        return code, len(code), False

    def _repeats_at(self, lines: list[str], line_idx: int, is_whole: bool) -> bool | None:
        """Whether the suffix is repeated from that line on; None while that is open."""
        first, *others = self._lines
        said = self._compare(lines, line_idx, first, is_whole)
        if not said:
            return said
        is_word = any(char.isalnum() for char in first)
        if is_word and (len(first) >= _TELLING_CHARS or not others):
            return True
        if not others:
            return False
        follow = [idx for idx in range(line_idx + 1, len(lines)) if lines[idx].strip()]
        if not follow:
            return False if is_whole else None
        return self._compare(lines, follow[0], others[0], is_whole)

    @staticmethod
    def _compare(lines: list[str], line_idx: int, told: str, is_whole: bool) -> bool | None:
        line = lines[line_idx].strip()
        is_complete = is_whole or line_idx < len(lines) - 1
        if is_complete:
            return line == told
        return None if told.startswith(line) else False
