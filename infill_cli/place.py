"""Where in a file: parses `PATH:LINE:COLUMN` and `PATH:START-END`. Knows nothing of contents."""

import re
from dataclasses import dataclass
from pathlib import Path

from infill_engine.api import RequestInvalid


@dataclass(frozen=True, slots=True)
class CursorPlace:
    """A 1-based line and column of a file."""

    path: Path
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class LineRange:
    """The 1-based lines `start` to `end` of a file, both included."""

    path: Path
    start: int
    end: int


def parse_cursor_place(text: str) -> CursorPlace:
    """Parse `PATH:LINE:COLUMN`; the path may hold colons itself. Raises RequestInvalid."""
    match = re.fullmatch(r"(.+):(\d{1,9}):(\d{1,9})", text, re.DOTALL)
    if match is None:
        raise RequestInvalid(
            f"{text!r} names no place; give PATH:LINE:COLUMN, for example main.py:12:5."
        )
    return CursorPlace(Path(match[1]), int(match[2]), int(match[3]))


def parse_line_range(text: str) -> LineRange:
    """Parse `PATH:START-END` or `PATH:LINE`. Raises RequestInvalid."""
    match = re.fullmatch(r"(.+):(\d{1,9})(?:-(\d{1,9}))?", text, re.DOTALL)
    if match is None:
        raise RequestInvalid(
            f"{text!r} names no lines; give PATH:START-END, for example main.py:12-20."
        )
    start, end = int(match[2]), int(match[3] or match[2])
    if end < start:
        raise RequestInvalid(f"The lines {start}-{end} end before they start.")
    return LineRange(Path(match[1]), start, end)
