"""Reads and replaces a user's source file without changing more of it than asked.

Byte-order mark, newlines and file mode survive; columns count characters (code points), lines
and columns are 1-based. Knows nothing of models or requests.
"""

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from infill_engine.api import InfillError, RequestInvalid, RequestTooLarge

MAX_FILE_BYTES = 10_000_000
"""Larger files are data or generated; no token budget would keep a thousandth of one."""
_BOM = b"\xef\xbb\xbf"
_ANY_MAY_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_NEWLINE = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A text file as it was read.

    Attributes:
        path: where it was read from.
        text: its characters, newlines untouched, without byte-order mark.
        has_bom: whether it began with a byte-order mark.
        newline: the newline it uses most; "\\n" when it has none.
        modified_ns: when it had last been changed, nanoseconds since 1970.
    """

    path: Path
    text: str
    has_bom: bool
    newline: str
    modified_ns: int

    @property
    def lines(self) -> list[str]:
        """The lines without their newlines; an empty file has one empty line."""
        return _NEWLINE.split(self.text)

    def offset(self, line: int, column: int) -> int:
        """Return the offset into `text` of a 1-based line and column.

        Raises:
            RequestInvalid: there is no such place; the message says what there is.
        """
        start, end = self.line_span(line)
        if not 1 <= column <= end - start + 1:
            raise RequestInvalid(
                f"Line {line} of {self.path} has columns 1 to {end - start + 1}; "
                f"column {column} is not one of them."
            )
        return start + column - 1

    def line_span(self, line: int) -> tuple[int, int]:
        """Return the offsets of a 1-based line's start and of its end before the newline.

        Raises:
            RequestInvalid: there is no such line; the message says how many there are.
        """
        ends = [match.span() for match in _NEWLINE.finditer(self.text)]
        starts = [0, *(end for _, end in ends)]
        if not 1 <= line <= len(starts):
            raise RequestInvalid(
                f"{self.path} has lines 1 to {len(starts)}; line {line} is not one of them."
            )
        line_end = ends[line - 1][0] if line <= len(ends) else len(self.text)
        return starts[line - 1], line_end

    def in_its_newlines(self, text: str) -> str:
        """Return `text` with the newlines this file uses."""
        return with_plain_newlines(text).replace("\n", self.newline)

    def write(self, text: str) -> None:
        """Replace the file's text in one step, keeping byte-order mark, mode and links.

        Raises:
            InfillError: the file was changed since it was read, or cannot be written; then it is
                as it was before.
        """
        target = self.path.resolve()
        temporary = ""
        try:
            status = target.stat()
            # Replacing a file asks only its folder: a read-only file would be lost without this.
            if not (os.access(target, os.W_OK) and status.st_mode & _ANY_MAY_WRITE):
                raise PermissionError(errno.EACCES, "the file is read-only")
            if status.st_mtime_ns != self.modified_ns:
                raise InfillError(
                    f"{self.path} was changed in the meantime; nothing was written. Try again."
                )
            handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            with os.fdopen(handle, "wb") as file:
                file.write((_BOM if self.has_bom else b"") + text.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            shutil.copymode(target, temporary)
            Path(temporary).replace(target)
        except OSError as error:
            if temporary:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink(missing_ok=True)
            raise InfillError(
                f"{self.path} could not be written ({error.strerror}); it is unchanged."
            ) from None


def with_plain_newlines(text: str) -> str:
    """Return `text` with every newline as a single line feed, as models know it."""
    return _NEWLINE.sub("\n", text)


def read_source_file(path: Path) -> SourceFile:
    """Read a UTF-8 text file.

    Raises:
        RequestInvalid: there is no such file, it is no text file or not UTF-8.
        RequestTooLarge: it is over `MAX_FILE_BYTES`.
    """
    try:
        status = path.stat()
        if path.is_dir():
            raise RequestInvalid(f"{path} is a folder; give a file.")
        if not path.is_file():
            raise RequestInvalid(f"{path} is a device or pipe; give a file.")
        if status.st_size > MAX_FILE_BYTES:
            raise RequestTooLarge(
                f"{path} has {status.st_size} bytes; files up to {MAX_FILE_BYTES} are read. "
                "Work on a smaller file."
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise RequestInvalid(f"{path} does not exist.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestInvalid(f"{path} cannot be read ({reason}).") from None
    text = _decode(data, path)
    return SourceFile(
        path=path,
        text=text,
        has_bom=data.startswith(_BOM),
        newline=_main_newline(text),
        modified_ns=status.st_mtime_ns,
    )


def _decode(data: bytes, path: Path) -> str:
    if b"\0" in data:
        raise RequestInvalid(
            f"{path} is binary or UTF-16 (a zero byte at offset {data.index(0)}); "
            "only UTF-8 text is read. Convert the file first."
        )
    bom_bytes = len(_BOM) if data.startswith(_BOM) else 0
    try:
        return data[bom_bytes:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestInvalid(
            f"{path} is not valid UTF-8: the byte at offset {error.start + bom_bytes} is "
            f"0x{error.object[error.start]:02x}. Convert the file to UTF-8 first."
        ) from None


def _main_newline(text: str) -> str:
    found = _NEWLINE.findall(text)
    return max(("\n", "\r\n", "\r"), key=found.count)
