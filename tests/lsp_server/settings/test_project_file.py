"""`.infill.toml`: whatever it holds, the server goes on and says where it is wrong."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lsp_server.settings.project_file import (
    FILE_NAME,
    MAX_FILE_BYTES,
    MAX_LINE_DOTS,
    ProjectFileError,
    ProjectFiles,
    read_project_file,
)


class Files:
    """The files under test, a clock that is set by hand, and what was reported."""

    def __init__(self, folder: Path, is_trusted: bool = True) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        self.now_s = 0.0
        self.reported: list[str] = []
        self.files = ProjectFiles(is_trusted, self.reported.extend, lambda: self.now_s)
        self._num_written = 0

    def write(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")
        # Two writes can fall into one tick of the file system's clock.
        self._num_written += 1
        os.utime(self.path, (self._num_written, self._num_written))

    def values(self) -> dict[str, object]:
        return self.files.values(self.folder)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_tables_and_dotted_keys(files: Files) -> None:
    files.write('deadlineMs = 200\ncontext.otherFiles = false\n[engine]\nurl = "http://a/"\n')
    assert files.values() == {
        "deadline_ms": 200,
        "context_other_files": False,
        "engine_url": "http://a",
    }
    assert files.reported == []


def test_no_file_sets_nothing(files: Files) -> None:
    assert files.values() == {}
    assert files.reported == []


@pytest.mark.parametrize("folder", ["nowhere", "a\0b"])
def test_no_folder(files: Files, folder: str) -> None:
    assert files.files.values(files.folder / folder) == {}


def test_the_rest_works_and_is_told_once(files: Files) -> None:
    files.write('seed = 3\ncolour = "s3cret"\ndeadlineMs = 1\n')
    for files.now_s in (0.0, 2.0, 4.0):
        assert files.values() == {"seed": 3}
    assert len(files.reported) == 2
    assert all(problem.startswith(FILE_NAME) for problem in files.reported)
    assert "s3cret" not in " ".join(files.reported)


def test_untrusted(tmp_path: Path) -> None:
    files = Files(tmp_path, is_trusted=False)
    files.write('exclude = ["*.sql"]\nmode = "line"\n[engine]\nurl = "http://a"\ntoken = "t"\n')
    assert files.values() == {"exclude": ("*.sql",)}
    assert len(files.reported) == 2


def test_it_is_looked_at_once_a_second(files: Files) -> None:
    files.write("seed = 1\n")
    assert files.values() == {"seed": 1}
    files.write("seed = 2\n")
    files.now_s = 0.9
    assert files.values() == {"seed": 1}
    files.now_s = 1.0
    assert files.values() == {"seed": 2}
    files.write("seed = 3\n")
    files.files.look_again()
    assert files.values() == {"seed": 3}
    files.path.unlink()
    files.now_s = 2.5
    assert files.values() == {}


def test_a_file_that_broke_keeps_its_values(files: Files) -> None:
    files.write('exclude = ["*.sql"]\n')
    files.values()
    files.write('exclude = ["*.sql"\n')
    files.now_s = 2.0
    assert files.values() == {"exclude": ("*.sql",)}
    assert len(files.reported) == 1
    files.write("exclude = []\n")
    files.now_s = 4.0
    assert files.values() == {"exclude": ()}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"seed = 1\ns3cret = \n", "line 2, column"),
        (b's3cret = 1\n"s3cret" = 2\n', "line 2, column"),
        (b'a = "s3cret', "not valid TOML"),
        (b"seed = 1\n# s3cret\nmode = '\xff'\n", "Line 3 is not UTF-8"),
        (b"seed = " + b"9" * 5000, "too many digits"),
        (b"seed = " + b"[" * 40_000, "nested too deeply"),
        (b"seed = 1\na" + b".a" * (MAX_LINE_DOTS + 1) + b" = 1", "Line 2 has more than"),
        (b"#" * (MAX_FILE_BYTES + 1), str(MAX_FILE_BYTES)),
    ],
    ids=["syntax", "twice", "cut off", "latin-1", "digits", "brackets", "dots", "huge"],
)
def test_what_can_not_be_read_says_where(files: Files, content: bytes, words: str) -> None:
    files.path.write_bytes(content)
    assert files.values() == {}
    (problem,) = files.reported
    assert words in problem
    assert "s3cret" not in problem


def test_the_longest_file_and_a_byte_order_mark(files: Files) -> None:
    text = "\ufeffseed = 5\n#"
    files.write(text + "x" * (MAX_FILE_BYTES - len(text.encode())))
    assert files.values() == {"seed": 5}


def test_keys_nested_as_deep_as_a_line_allows(files: Files) -> None:
    files.path.write_text("a" + ".a" * MAX_LINE_DOTS + " = 1\nseed = 2\n", encoding="utf-8")
    assert files.values() == {"seed": 2}


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(os.name == "nt", reason="no pipes in folders")
@pytest.mark.parametrize("make", [_folder, _pipe, _link_to_a_device])
def test_only_regular_files_are_opened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / FILE_NAME)
    with pytest.raises(ProjectFileError, match="regular file"):
        read_project_file(tmp_path / FILE_NAME)


def test_a_link_to_nowhere_is_no_file(files: Files) -> None:
    files.path.symlink_to(files.folder / "nowhere")
    assert files.values() == {}
    assert files.reported == []
