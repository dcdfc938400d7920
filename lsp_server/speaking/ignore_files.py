"""Reads .gitignore and its like, and says what they say of a path, as git would.

What was parsed is kept until the file changes. A file that can not be read says nothing; a line
that is no pattern is left out. Knows nothing of why anybody asks.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_FILE_BYTES = 256 * 1024
"""Read of one ignore file: more than any that people write."""
MAX_PATTERNS = 5_000
MAX_DEPTH = 64
"""Folders looked at from a file upward."""
_NUM_KEPT_FILES = 256
_FOLDER_MARK = "ps_d"
"""The group of pathspec's expressions that matches the slash behind a folder that fits."""


def parse_patterns(lines: Iterable[str]) -> "GitIgnoreSpec":
    """Read patterns in the syntax of .gitignore, leaving out what is none."""
    # Imported here: the answer to `initialize` need not wait for it.
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    patterns: list[GitIgnoreSpecPattern] = []
    for line in lines:
        if len(patterns) >= MAX_PATTERNS:
            break
        try:
            patterns.append(GitIgnoreSpecPattern(line))
        except ValueError:
            continue
    return GitIgnoreSpec(patterns)


def is_ignored(
    path: Path, root: Path, names: Sequence[str], more_files: Sequence[Path] = ()
) -> bool | None:
    """Say what the ignore files between `root` and `path` say of `path`.

    The deepest file that says anything decides, in it the last line that fits; nothing is taken
    back inside a folder that is ignored as a whole.

    Args:
        path: a file inside `root`; both are absolute.
        root: the topmost folder whose ignore files count.
        names: names of ignore files, the weightiest first.
        more_files: ignore files from elsewhere that count in `root` and weigh least.

    Returns:
        True when ignored, False when expressly not ignored, None when nothing is said.
    """
    parts = path.relative_to(root).parts
    if len(parts) > MAX_DEPTH:
        return None
    specs = [(0, spec) for file in more_files if (spec := _spec_of(file))]
    verdict: bool | None = None
    for depth, part in enumerate(parts):
        folder = root.joinpath(*parts[:depth])
        specs.extend((depth, spec) for name in reversed(names) if (spec := _spec_of(folder / name)))
        is_folder = depth + 1 < len(parts)
        verdict = None
        for spec_depth, spec in reversed(specs):
            relative = "/".join((*parts[spec_depth:depth], part)) + ("/" if is_folder else "")
            verdict = _says(spec, relative)
            if verdict is not None:
                break
        if verdict and is_folder:
            return True
    return verdict


def repository_root(path: Path) -> Path | None:
    """Return the nearest folder above `path` that holds a .git, None when there is none."""
    for folder in _folders_above(path):
        if os.path.lexists(folder / ".git"):
            return folder
    return None


def folder_of(path: PurePath, folders: Iterable[Path]) -> Path | None:
    """Return the outermost of `folders` that `path` lies in, None when it lies in none."""
    holding = [folder for folder in folders if path.is_relative_to(folder) and path != folder]
    return min(holding, key=lambda folder: len(folder.parts), default=None)


def _folders_above(path: Path) -> Iterator[Path]:
    for depth, folder in enumerate(path.parents):
        if depth >= MAX_DEPTH:
            return
        yield folder


def _says(spec: "GitIgnoreSpec", relative: str) -> bool | None:
    """Return the verdict of the last pattern that fits the path itself.

    Not `spec.check_file`: there a pattern that fits a folder decides about everything in it, while
    to git "!src/" does not take back what an earlier line says of src/a.
    """
    for pattern in reversed(spec.patterns):
        # "src/**" is about what is inside src, not about src itself.
        is_about_inside = str(pattern.pattern).rstrip().endswith("/**")
        asked = relative.rstrip("/") if is_about_inside else relative
        if pattern.include is None or (match := pattern.match_file(asked)) is None:
            continue
        groups = match.match.groupdict()
        if groups.get(_FOLDER_MARK) is None or match.match.end(_FOLDER_MARK) == len(asked):
            return pattern.include
    return None


def _spec_of(file: Path) -> "GitIgnoreSpec | None":
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return _read(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=_NUM_KEPT_FILES)
def _read(file: Path, mtime_ns: int, num_bytes: int) -> "GitIgnoreSpec | None":
    """Parse a file; time and size are the key under which the result is kept."""
    if not file.is_file():
        return None
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_FILE_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return None
    return parse_patterns(text.removeprefix("\ufeff").split("\n"))
