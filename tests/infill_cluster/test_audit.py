import json
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from infill_cluster.security.audit import AuditEntry, AuditLog
from infill_engine.api import ConfigError

ENTRY = AuditEntry("ada", "converged", 200, 12, 100, 3, 2048, 57, 0)


def test_a_line_says_who_when_how_much_and_how_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "log" / "audit.jsonl"
    log = AuditLog(path)
    log.write(ENTRY)
    log.write(ENTRY)
    log.close()
    first, second = map(json.loads, path.read_text().splitlines())
    assert abs(datetime.now().astimezone() - datetime.fromisoformat(first.pop("time"))) < timedelta(
        minutes=10
    )
    second.pop("time")
    assert (
        first
        == second
        == {
            "user": "ada",
            "outcome": "converged",
            "status_code": 200,
            "num_tokens": 12,
            "cached_tokens": 100,
            "prefilled_tokens": 3,
            "request_bytes": 2048,
            "milliseconds": 57,
            "num_retries": 0,
        }
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_moved_away_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.write(ENTRY)
    path.rename(tmp_path / "audit.jsonl.1")
    log.write(ENTRY)
    log.close()
    assert len(path.read_text().splitlines()) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full to stand for a full disk")
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    path.unlink()
    path.symlink_to("/dev/full")
    log.write(ENTRY)
    assert log.num_failed == 1


def test_a_place_that_cannot_be_written_is_told_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"audit file .* cannot be written"):
        AuditLog(tmp_path / "file" / "audit.jsonl")


def test_without_a_file_nothing_is_written() -> None:
    log = AuditLog(None)
    log.write(ENTRY)
    log.close()
    assert log.num_failed == 0
