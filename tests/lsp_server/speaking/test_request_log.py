"""The request log: lines, rotation, and what happens when it can not be written."""

import json
from pathlib import Path

import pytest

from lsp_server.speaking import request_log
from lsp_server.speaking.request_log import NUM_OLDER_FILES, RequestLine, RequestLog

LINE = RequestLine(1, "python", False, "model", 12.345, 3.21, 100, 50, 7, 0.8)


def test_one_line_of_json_per_request(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "logs" / "requests.log", clock=lambda: 5.0)
    log.write(LINE)
    log.write(LINE)
    lines = (tmp_path / "logs" / "requests.log").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    written = json.loads(lines[0])
    assert (written["at_s"], written["outcome"], written["took_ms"]) == (5.0, "model", 12.3)


def test_full_files_are_put_aside_and_the_oldest_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "MAX_BYTES", 300)
    path = tmp_path / "requests.log"
    log = RequestLog(path)
    for idx in range(40):
        log.write(RequestLine(idx, "python", False, "model", 1.0))
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == ["requests.log", *(f"requests.log.{idx + 1}" for idx in range(NUM_OLDER_FILES))]
    assert all(entry.stat().st_size < 700 for entry in tmp_path.iterdir())
    numbers = [
        json.loads(line)["document"]
        for name in reversed(names)
        for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()
    ]
    assert numbers == list(range(40))[-len(numbers) :]
    log.close()


def test_after_a_failure_nothing_is_written_and_nothing_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    log = RequestLog(tmp_path / "file" / "requests.log")
    log.write(LINE)
    (tmp_path / "file").unlink()
    log.write(LINE)
    assert list(tmp_path.iterdir()) == []
