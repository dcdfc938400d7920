"""`.infill.toml` in a workspace folder: read when it is new or has changed, whatever it holds.

A file that can not be read keeps the values it last had: an exclusion must not be lost while
someone is typing in it. Knows nothing of other sources.
"""

import re
import stat
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsp_server.settings.reading import Reading, read_values
from lsp_server.settings.trust import allow_for_project

FILE_NAME = ".infill.toml"
MAX_FILE_BYTES = 65_536
"""Far more than anyone writes by hand."""
MAX_LINE_DOTS = 500
"""A key of 32,000 parts takes tomllib 25 s, one of 500 takes 6 ms; a key ends with its line."""
CHECK_EVERY_S = 1.0


class ProjectFileError(Exception):
    """The file can not be used; the message says why and never repeats its content."""


@dataclass(slots=True)
class _Known:
    values: dict[str, Any]
    stamp: tuple[int, int, int] | None
    checked_at: float


class ProjectFiles:
    """The files of all workspace folders.

    Looks at a file at most every `CHECK_EVERY_S`; a look is one `stat`, and a read if it changed.
    """

    def __init__(
        self,
        is_trusted: bool,
        report: Callable[[tuple[str, ...]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_trusted = is_trusted
        self._report = report
        self._clock = clock
        self._known: dict[Path, _Known] = {}

    def values(self, folder: Path) -> dict[str, Any]:
        """Return what the file in `folder` may and does set, by attribute of `ServerSettings`.

        Tells problems once per change of the file. Never raises.
        """
        known = self._known.setdefault(folder, _Known({}, None, float("-inf")))
        now = self._clock()
        if now - known.checked_at >= CHECK_EVERY_S:
            known.checked_at = now
            self._look(folder / FILE_NAME, known)
        return known.values

    def look_again(self) -> None:
        """Look at every file when it is next asked for: a client says that one has changed."""
        for known in self._known.values():
            known.checked_at = float("-inf")

    def _look(self, path: Path, known: _Known) -> None:
        stamp = _stamp(path)
        if stamp == known.stamp:
            return
        known.stamp = stamp
        if stamp is None:
            known.values = {}
            return
        try:
            reading = read_project_file(path)
        except ProjectFileError as error:
            self._report((f"{FILE_NAME}: {error}",))
            return
        allowed = allow_for_project(reading.values, self._is_trusted)
        known.values = allowed.values
        problems = reading.problems + allowed.problems
        if problems:
            self._report(tuple(f"{FILE_NAME}: {problem}" for problem in problems))


def read_project_file(path: Path) -> Reading:
    """Read a project's file.

    Raises:
        ProjectFileError: it is no regular file, too large, unreadable, not UTF-8, not TOML, or
            would take too long to read.
    """
    try:
        # Anything else, such as a pipe, could keep us waiting for good.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ProjectFileError("It is not a regular file.")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ProjectFileError(f"It can not be read ({error.strerror}).") from None
    if len(content) > MAX_FILE_BYTES:
        raise ProjectFileError(f"It has more than {MAX_FILE_BYTES} bytes, which is not allowed.")
    try:
        text = content.decode("utf-8-sig")
        _check_dots(text)
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ProjectFileError(f"Line {line} is not UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ProjectFileError(_without_content(error)) from None
    except ValueError:
        raise ProjectFileError("It is not valid TOML: a number has too many digits.") from None
    except RecursionError:
        raise ProjectFileError("It is nested too deeply.") from None
    return read_values(table)


def _check_dots(text: str) -> None:
    for line_idx, line in enumerate(text.split("\n")):
        if line.count(".") > MAX_LINE_DOTS:
            raise ProjectFileError(
                f"Line {line_idx + 1} has more than {MAX_LINE_DOTS} dots, which is not allowed."
            )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes with the file; None when there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the folder's name
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _without_content(error: tomllib.TOMLDecodeError) -> str:
    # tomllib's own words can repeat a name or a character of the file.
    place = re.search(r"\(at line (\d+), column (\d+)\)\Z", str(error))
    if place is None:
        return "It is not valid TOML: it ends too early."
    return f"It is not valid TOML: line {place[1]}, column {place[2]}."
