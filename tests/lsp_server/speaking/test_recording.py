"""A recording holds the session, and nothing of the engine's address; bad ones are refused."""

import json
import stat
from pathlib import Path

import pytest

from infill_engine.api import ConfigError
from lsp_server.documents import TextEdit
from lsp_server.speaking import recording as recording_module
from lsp_server.speaking.recording import Recording, read_recording

URI = "file:///a.py"


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    now_s = 10.0
    options = {"mode": "line", "engine": {"token": "hidden"}, "engine.token": "hidden"}
    recording = Recording(path, "utf-16", options, clock=lambda: now_s)
    recording.opened(URI, "python", 1, "x = \ud800\n")
    now_s = 10.25
    recording.changed(URI, 2, [TextEdit(0, 4, 0, 4, "1"), "all new"])
    recording.asked(7, URI, 0, 5, True)
    recording.answered(7, None, "nothing_to_say")
    recording.closed(URI)
    recording.close()
    recording.closed(URI)  # after the end: nothing
    head, events = read_recording(path)
    assert (head["encoding"], head["options"]) == ("utf-16", {"mode": "line"})
    assert "hidden" not in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [event["event"] for event in events] == ["open", "change", "ask", "answer", "close"]
    assert (events[0]["text"], events[1]["at_ms"]) == ("x = \ud800\n", 250)
    assert events[1]["edits"] == [[0, 4, 0, 4, "1"], "all new"]
    assert (events[2]["units"], events[3]["reason"]) == (5, "nothing_to_say")


def test_a_full_recording_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_module, "MAX_BYTES", 300)
    recording = Recording(tmp_path / "a", "utf-8")
    assert recording.is_running
    for _ in range(10):
        recording.closed(URI)
    assert not recording.is_running
    assert (tmp_path / "a").stat().st_size <= 300


def test_a_place_that_can_not_be_written_records_nothing(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "none" / "a", "utf-8")
    recording.closed(URI)
    assert not recording.is_running


def test_a_line_cut_short_is_left_out_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    recording = Recording(path, "utf-8")
    recording.closed(URI)
    recording.close()
    path.write_text(path.read_text(encoding="utf-8") + '{"event": "op', encoding="utf-8")
    assert len(read_recording(path)[1]) == 1
    for text in ("", "hello\n", "[]\n", json.dumps({"infill_recording": 99}) + "\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match="no recording"):
            read_recording(path)
