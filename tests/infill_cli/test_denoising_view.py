"""What a terminal shows of a gap while it is denoised."""

import io
from pathlib import Path

import pytest

from infill_cli import denoising_view as view
from infill_cli.gap import Gap
from infill_cli.source_file import read_source_file
from infill_engine.api import InfillResult, InfillUpdate

UPDATE = InfillUpdate(1, 0, "return left", 7, (0.0, 0.5, 1.5, float("nan"), 9.0) * 20, 2)
RESULT = InfillResult("return x", "converged", 3, 1, 2, 0, 9, 0.1, {"total": 12.3})


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_shows_the_gap_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.py"
    path.write_text("def f():\n\t\x1b[2J\nx = 1\n")
    source = read_source_file(path)
    offset = source.offset(2, 2)
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    with view.denoising_view(Gap(source, offset, offset)) as shown:
        shown.show(UPDATE)
        shown.show(RESULT)
    drawn = terminal.getvalue()
    assert "\x1b[2J" not in drawn
    assert "␦[2J" in drawn
    assert "step  2" in drawn
    assert "converged after 3 steps in 12 ms" in drawn


def test_summary_of_a_single_step_without_timings() -> None:
    result = InfillResult("", "deadline", 1, 1, 0, 0, 0, 0.0)
    assert view.summary(result) == "deadline after 1 step"


def test_lines_around_the_gap() -> None:
    assert view.last_lines("a\nb\nc", 2) == "b\nc"
    assert view.first_lines("a\nb\nc", 2) == "a\nb"
    assert view.safe_for_terminal("é🎉\t\n\x07") == "é🎉\t\n␦"
