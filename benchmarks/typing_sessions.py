"""What someone types in real files: contexts of a given size from Python's standard library.

Never the quality benchmark's data. Knows nothing of engines or of time.
"""

import random
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infill_engine.api import ConfigError, InfillRequest
from infill_engine.tokenizer import Tokenizer

_SKIPPED_FOLDERS = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages"}
_PREFIX_SHARE = 0.75
_MIN_LINE_CHARS = 24
_STATEMENT = re.compile(r" +(return |if |for |raise |self\.|\w+ = |\w+\()")
_MAX_CHARS_TYPED = 5
_MAX_PLACES_TRIED = 20  # in one file; most are too near its beginning or end, if any is
LINE_MAX_TOKENS = 48
"""Tokens asked for a line: the language server's default."""


@dataclass(frozen=True, slots=True)
class TypingSession:
    """A file with a statement taken out, the cursor behind its indentation.

    Attributes:
        path: of the file, within the standard library.
        prefix: text before the cursor.
        suffix: text after it, from the end of the cursor's line on.
        line: the statement, which is typed bit by bit.
    """

    path: str
    prefix: str
    suffix: str
    line: str

    def request(self, num_typed_chars: int, seed: int) -> InfillRequest:
        """Return what an editor asks when so many characters of the line stand there."""
        return InfillRequest(
            prefix=self.prefix + self.line[:num_typed_chars],
            suffix=self.suffix,
            language_id="python",
            path=self.path,
            mode="line",
            max_new_tokens=LINE_MAX_TOKENS,
            seed=seed,
        )


def typing_sessions(
    count: int, context_tokens: int, tokenizer: Tokenizer, seed: int
) -> list[TypingSession]:
    """Return sessions in as many different files, the same for the same arguments.

    Args:
        count: how many.
        context_tokens: tokens of prefix and suffix together.
        tokenizer: that counts them.
        seed: chooses files and places.

    Raises:
        ConfigError: the standard library has too few files with that much context.
    """
    choose = random.Random(seed)
    found: list[TypingSession] = []
    for path, text in _shuffled_files(choose):
        if len(found) == count:
            break
        session = _session(path, text, context_tokens, tokenizer, choose)
        if session is not None:
            found.append(session)
    if len(found) < count:
        raise ConfigError(
            f"Only {len(found)} files of the standard library have {context_tokens} tokens around "
            f"a statement, but {count} were asked for. Lower the requests or the context tokens."
        )
    return found


def typed_lengths(count: int, choose: random.Random) -> list[int]:
    """Return how many characters stand there at each of `count` requests, 1 to 5 more each."""
    lengths = [0]
    for _ in range(count):
        lengths.append(lengths[-1] + choose.randint(1, _MAX_CHARS_TYPED))
    return lengths[1:]


def _shuffled_files(choose: random.Random) -> Iterator[tuple[str, str]]:
    root = Path(sysconfig.get_path("stdlib"))
    names = [path.relative_to(root) for path in sorted(root.rglob("*.py"))]
    names = [name for name in names if not _SKIPPED_FOLDERS.intersection(name.parts)]
    choose.shuffle(names)
    for name in names:
        text = (root / name).read_text(encoding="utf-8", errors="replace")
        if text.isascii():  # so that a cut between tokens is one between characters
            yield name.as_posix(), text


def _session(
    path: str, text: str, context_tokens: int, tokenizer: Tokenizer, choose: random.Random
) -> TypingSession | None:
    """Take out a statement with enough tokens on both sides; None when none is found."""
    if len(text) < context_tokens:
        return None
    lines = text.splitlines(keepends=True)
    line_idxs = [
        idx
        for idx, line in enumerate(lines)
        if _STATEMENT.match(line) and len(line.strip()) >= _MIN_LINE_CHARS
    ]
    choose.shuffle(line_idxs)
    num_prefix = round(context_tokens * _PREFIX_SHARE)
    num_suffix = context_tokens - num_prefix
    for line_idx in line_idxs[:_MAX_PLACES_TRIED]:
        line = lines[line_idx].strip()
        indentation = lines[line_idx].partition(line)[0]
        prefix_ids = tokenizer.encode("".join(lines[:line_idx]) + indentation)
        suffix_ids = tokenizer.encode("\n" + "".join(lines[line_idx + 1 :]))
        if len(prefix_ids) >= num_prefix and len(suffix_ids) >= num_suffix:
            prefix = tokenizer.decode(prefix_ids[-num_prefix:])
            suffix = tokenizer.decode(suffix_ids[:num_suffix])
            return TypingSession(path, prefix, suffix, line)
    return None
