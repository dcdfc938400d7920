"""`infill-ls replay`: a recorded session against a fresh server and a scripted engine."""

from pathlib import Path
from typing import Any

import pytest

from lsp_server.documents import TextEdit
from lsp_server.speaking.recording import Recording

URI = "file:///project/add.py"


def record(path: Path) -> None:
    recording = Recording(path, "utf-16", {"mode": "line", "minConfidence": 0})
    recording.opened(URI, "python", 1, "def add(left, right):\n    \n")
    recording.asked(1, URI, 1, 4, is_invoked=True)
    recording.answered(1, "return left + right")
    recording.changed(URI, 2, [TextEdit(1, 4, 1, 4, "x = ")])
    recording.asked(2, URI, 1, 8, is_invoked=True)
    recording.answered(2, "left + right")  # now the scripted engine's statement fits no expression
    recording.closed(URI)
    recording.close()


@pytest.mark.e2e
def test_what_came_then_and_what_comes_now(run_scripted: Any, folders: Path) -> None:
    record(folders / "session.jsonl")
    result = run_scripted("replay", str(folders / "session.jsonl"))
    lines = result.stdout.splitlines()
    assert result.exit_code == 0, result.stderr
    assert lines[0].startswith("#1 line 2, ")
    assert lines[0].endswith(": 'return left + right'")
    assert lines[1].startswith("#2 line 2, ")
    assert lines[2] == "    recorded: 'left + right'"
    assert lines[3] == "2 requests, 1 answered as they were recorded."


@pytest.mark.e2e
def test_at_the_recorded_pace_a_newer_request_supersedes(run_scripted: Any, folders: Path) -> None:
    record(folders / "session.jsonl")  # all at once
    result = run_scripted("replay", "--timed", str(folders / "session.jsonl"))
    assert "#1 line 2" in result.stdout
    assert "recorded: 'return left + right'" in result.stdout
    assert "2 requests" in result.stdout


def test_what_is_no_recording_is_refused(run: Any, folders: Path) -> None:
    (folders / "a").write_text("hello\n", encoding="utf-8")
    result = run("replay", str(folders / "a"))
    assert result.exit_code == 2
    assert "no recording" in result.stderr
    assert run("replay", str(folders / "none")).exit_code == 2
