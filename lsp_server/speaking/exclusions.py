"""Says which files nothing is suggested in and nothing is quoted from: secret, ignored, generated.

In order of weight: the user's own patterns, which may also take a file back in ("!credentials.py");
what the name says; .infillignore; .gitignore. Looks at names and ignore files only, never into the
file itself. Knows nothing of LSP or of open documents.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from lsp_server.speaking.excluded_names import why_name_excluded
from lsp_server.speaking.ignore_files import (
    folder_of,
    is_ignored,
    parse_patterns,
    repository_root,
)

IGNORE_FILE = ".infillignore"
RECHECK_S = 2.0
"""How long an answer is repeated without a look at the disk: a keystroke asks for several files."""
_NUM_KEPT = 512

_Question = tuple[str, tuple[str, ...], tuple[str, ...], bool]


class Exclusions:
    """Answers `why_excluded`, repeating itself for `RECHECK_S`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[_Question, tuple[float, str | None]] = OrderedDict()

    def why_excluded(
        self,
        path: str | PurePath,
        folders: Sequence[str | PurePath] = (),
        extra_patterns: Sequence[str] = (),
        use_gitignore: bool = True,
    ) -> str | None:
        """Like the function of this name. Modifies: what is repeated."""
        question = (
            str(path),
            tuple(map(str, folders)),
            tuple(extra_patterns),
            use_gitignore,
        )
        now_s = self._clock()
        known = self._known.get(question)
        if known is not None and 0 <= now_s - known[0] < RECHECK_S:
            return known[1]
        why = why_excluded(path, folders, extra_patterns, use_gitignore)
        self._known[question] = (now_s, why)
        self._known.move_to_end(question)
        if len(self._known) > _NUM_KEPT:
            self._known.popitem(last=False)
        return why


def why_excluded(
    path: str | PurePath,
    folders: Sequence[str | PurePath] = (),
    extra_patterns: Sequence[str] = (),
    use_gitignore: bool = True,
) -> str | None:
    """Say in a sentence why nothing is suggested in a file; None when something may be.

    A symbolic link is excluded when itself or what it leads to is.

    Args:
        path: absolute path of the file, which need not exist; of a document without a file, its
            name, of which only the name's own rules and `extra_patterns` are asked.
        folders: absolute paths of the workspace folders. Above them, and for files outside, only
            .gitignore files up to the root of the repository count.
        extra_patterns: the user's own, in the syntax of .gitignore, relative to the folder that
            holds the file; one that begins with "!" takes back what any other rule excludes.
        use_gitignore: whether .gitignore files count.

    Returns:
        A sentence that names the file and the rule. Never raises; reads ignore files only, each up
        to a bound.
    """
    given = Path(path)
    named = [Path(folder) for folder in folders]
    all_folders = named + [_resolved(folder) for folder in named]
    why = _why(given, all_folders, extra_patterns, use_gitignore)
    if why is not None or not given.is_absolute():
        return why
    target = _resolved(given)
    if target == given:
        return None
    why = _why(target, all_folders, extra_patterns, use_gitignore)
    return None if why is None else f"{given.name} leads to another file: {why}"


def _why(
    path: Path, folders: list[Path], extra_patterns: Sequence[str], use_gitignore: bool
) -> str | None:
    folder = folder_of(path, folders)
    if extra_patterns:
        relative = path.relative_to(folder) if folder else PurePath(path.name)
        says = parse_patterns(extra_patterns).check_file(relative.as_posix()).include
        if says is not None:
            return f'{path.name} is excluded by the setting "exclude".' if says else None
    why = why_name_excluded(path.name, path.parts[:-1])
    if why is not None or not path.is_absolute():
        return why
    says = is_ignored(path, folder, [IGNORE_FILE]) if folder else None
    if says is not None:
        return f"{path.name} is ignored by {IGNORE_FILE}." if says else None
    if use_gitignore:
        repository = repository_root(path)
        root = repository or folder
        more_files = [repository / ".git" / "info" / "exclude"] if repository else []
        if root and is_ignored(path, root, [".gitignore"], more_files):
            return f"{path.name} is ignored by .gitignore."
    return None


def _resolved(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):
        return path
