"""Ignore files against git itself, on random patterns and paths."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lsp_server.speaking.ignore_files import is_ignored, parse_patterns, repository_root

NAMES = ["a", "b", "c.txt", "d.log", "src"]
PATTERNS = [
    "a",
    "/a",
    "a/",
    "*.log",
    "!d.log",
    "!a",
    "!a/",
    "src",
    "src/",
    "!src/",
    "src/*",
    "src/a",
    "**/b",
    "a/**",
    "a/**/b",
    "*",
    "!*.txt",
    "[ab]",
    "\\!a",
    "# no",
    "",
    "b ",
    "?",
]
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)
ignore_files = st.dictionaries(
    st.lists(st.sampled_from([*NAMES[:2], "src"]), max_size=2).map(lambda parts: "/".join(parts)),
    st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4),
    max_size=3,
)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(max_examples=40, deadline=None)
@given(ignore_files, st.lists(paths, min_size=1, max_size=12))
@example({"": ["a/**", "!*.txt"]}, [["a", "c.txt"], ["a", "b", "c.txt"]])
def test_every_path_is_ignored_as_git_ignores_it(
    files: dict[str, list[str]], asked: list[list[str]]
) -> None:
    with tempfile.TemporaryDirectory() as made:
        root = Path(os.path.realpath(made))
        subprocess.run(["git", "init", "-q", root], check=True)
        for folder, lines in files.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / ".gitignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
        # A path whose last part is a folder on disk would be asked about as a folder.
        asked = [parts for parts in asked if not root.joinpath(*parts).is_dir()]
        names = sorted({"/".join(parts) for parts in asked})
        if not names:
            return
        run = subprocess.run(
            ["git", "-C", root, "check-ignore", "--no-index", "--stdin"],
            input="\n".join(names),
            capture_output=True,
            text=True,
            check=False,
        )
        by_git = set(run.stdout.split("\n")) - {""}
        ours = {name for name in names if is_ignored(root / name, root, [".gitignore"])}
        assert ours == by_git


def test_lines_that_are_no_pattern_are_left_out() -> None:
    spec = parse_patterns(["!", "\\", "*.log"])
    assert spec.check_file("a.log").include is True


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    ignore_file = tmp_path / ".gitignore"
    assert is_ignored(tmp_path / "a", tmp_path, [".gitignore"]) is None
    ignore_file.write_text("a\n", encoding="utf-8")
    assert is_ignored(tmp_path / "a", tmp_path, [".gitignore"]) is True
    ignore_file.write_text("!a\n", encoding="utf-8")
    assert is_ignored(tmp_path / "a", tmp_path, [".gitignore"]) is False


def test_a_folder_in_the_place_of_an_ignore_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").mkdir()
    assert is_ignored(tmp_path / "a", tmp_path, [".gitignore"]) is None


def test_the_repository_is_the_nearest_folder_with_a_git_entry(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "inner"
    inner.mkdir()
    assert repository_root(inner / "a.py") == tmp_path
    (inner / ".git").write_text("gitdir: elsewhere\n", encoding="utf-8")  # as in a worktree
    assert repository_root(inner / "a.py") == inner
