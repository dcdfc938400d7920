"""Reading and replacing source files: what survives, and what is refused in which words."""

import os
import stat
from pathlib import Path

import pytest

from infill_cli.language import shown_path
from infill_cli.place import CursorPlace, LineRange, parse_cursor_place, parse_line_range
from infill_cli.source_file import MAX_FILE_BYTES, read_source_file
from infill_engine.api import InfillError, RequestInvalid, RequestTooLarge


def _write(folder: Path, data: bytes) -> Path:
    path = folder / "a.py"
    path.write_bytes(data)
    return path


def test_columns_count_characters_and_newlines_are_no_columns(tmp_path: Path) -> None:
    source = read_source_file(_write(tmp_path, "a = '🎉é'\r\nb\rc\n".encode()))
    assert source.lines == ["a = '🎉é'", "b", "c", ""]
    assert source.offset(1, 1) == 0
    assert source.text[source.offset(1, 7)] == "é"
    assert source.offset(1, 9) == 8
    assert source.text[source.offset(3, 1)] == "c"
    assert source.offset(4, 1) == len(source.text)


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        (1, 10, "Line 1 of .* has columns 1 to 9; column 10 is not one of them"),
        (1, 0, "has columns 1 to 9; column 0"),
        (3, 1, "has lines 1 to 2; line 3 is not one of them"),
        (0, 1, "has lines 1 to 2; line 0"),
    ],
)
def test_place_outside_says_what_there_is(
    tmp_path: Path, line: int, column: int, message: str
) -> None:
    source = read_source_file(_write(tmp_path, b"12345678\r\n"))
    with pytest.raises(RequestInvalid, match=message):
        source.offset(line, column)


def test_empty_file_has_one_place(tmp_path: Path) -> None:
    source = read_source_file(_write(tmp_path, b""))
    assert (source.text, source.newline, source.offset(1, 1)) == ("", "\n", 0)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    cases = [
        (_write(tmp_path, b"ab\xffcd"), r"not valid UTF-8: the byte at offset 2 is 0xff"),
        (tmp_path / "none.py", "does not exist"),
        (tmp_path, "is a folder"),
        (Path("/dev/null"), "is a device or pipe"),
        (tmp_path / ("x" * 300), "cannot be read"),
        (tmp_path / "a.py" / "b", "cannot be read"),
        (tmp_path / "a\0b", "cannot be read"),
    ]
    for path, message in cases:
        with pytest.raises(RequestInvalid, match=message):
            read_source_file(path)


def test_offset_of_a_bad_byte_counts_the_byte_order_mark(tmp_path: Path) -> None:
    path = _write(tmp_path, b"\xef\xbb\xbfa\xc3")
    with pytest.raises(RequestInvalid, match="offset 4 is 0xc3"):
        read_source_file(path)


@pytest.mark.parametrize("data", [b"\x7fELF\0\0", "a = 1".encode("utf-16")])
def test_binary_is_told(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(RequestInvalid, match="is binary or UTF-16"):
        read_source_file(_write(tmp_path, data))


def test_large_file_is_told_without_reading_it(tmp_path: Path) -> None:
    path = _write(tmp_path, b"")
    os.truncate(path, 50_000_000)
    with pytest.raises(RequestTooLarge, match=f"files up to {MAX_FILE_BYTES} are read"):
        read_source_file(path)


def test_writing_keeps_mark_mode_newlines_and_links(tmp_path: Path) -> None:
    path = _write(tmp_path, b"\xef\xbb\xbfa\r\nb\n")
    path.chmod(0o750)
    link = tmp_path / "link.py"
    link.symlink_to(path)
    source = read_source_file(link)
    source.write(source.text + source.in_its_newlines("c\nd"))
    assert path.read_bytes() == b"\xef\xbb\xbfa\r\nb\nc\nd"
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert link.is_symlink()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.py", "link.py"]


def test_file_changed_in_the_meantime_is_not_overwritten(tmp_path: Path) -> None:
    source = read_source_file(_write(tmp_path, b"a"))
    os.utime(source.path, ns=(0, 0))
    with pytest.raises(InfillError, match="changed in the meantime; nothing was written"):
        source.write("b")
    assert source.path.read_bytes() == b"a"


def test_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    """Also for the superuser, and though its folder would allow it."""
    path = _write(tmp_path, b"a")
    path.chmod(0o444)
    with pytest.raises(InfillError, match=r"could not be written \(the file is read-only\)"):
        read_source_file(path).write("b")
    assert path.read_bytes() == b"a"
    assert list(tmp_path.iterdir()) == [path]


def test_path_that_is_not_unicode_can_be_told(tmp_path: Path) -> None:
    assert shown_path(tmp_path / os.fsdecode(b"a\xff.py")) == "a\ufffd.py"


def test_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = read_source_file(_write(tmp_path, b"a"))

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(InfillError, match=r"could not be written \(No space left on device\)"):
        source.write("b")
    assert source.path.read_bytes() == b"a"
    assert list(tmp_path.iterdir()) == [source.path]


def test_places_are_parsed() -> None:
    assert parse_cursor_place("a:b.py:3:14") == CursorPlace(Path("a:b.py"), 3, 14)
    assert parse_line_range("a.py:3-14") == LineRange(Path("a.py"), 3, 14)
    assert parse_line_range("a.py:3") == LineRange(Path("a.py"), 3, 3)


@pytest.mark.parametrize("text", ["", "a.py", "a.py:1", "a.py:x:1", "a.py:1:-1", ":1:1"])
def test_wrong_place_is_told(text: str) -> None:
    with pytest.raises(RequestInvalid, match="names no place; give PATH:LINE:COLUMN"):
        parse_cursor_place(text)


def test_wrong_range_is_told() -> None:
    with pytest.raises(RequestInvalid, match="names no lines; give PATH:START-END"):
        parse_line_range("a.py")
    with pytest.raises(RequestInvalid, match="The lines 4-3 end before they start"):
        parse_line_range("a.py:4-3")
