"""`infill-ls stats`: as text, as JSON, and back to zero."""

import json
from pathlib import Path
from typing import Any

import pytest

from lsp_server.speaking.stats import Stats
from lsp_server.speaking.stats_file import STATE_DIR_VARIABLE, add_to_stats, stats_file


@pytest.fixture
def counted(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(folders / "state"))
    stats = Stats()
    stats.count("requests", 10)
    stats.count("shown", 4)
    stats.count("accepted", 2)
    stats.count_withheld("after_deletion")
    for took_ms in (10.0, 20.0, 30.0):
        stats.note_latency(took_ms)
    assert add_to_stats(stats_file(), stats)


@pytest.mark.usefixtures("counted")
def test_as_text(run: Any) -> None:
    lines = run("stats").stdout.splitlines()
    assert lines[1].split() == ["accepted", "2", "50%", "of", "the", "shown"]
    assert any("p50 20 ms  p95 30 ms" in line for line in lines)
    assert lines[-1] == "       1   Text was deleted and nothing has been typed since."


@pytest.mark.usefixtures("counted")
def test_as_json_and_reset(run: Any) -> None:
    data = json.loads(run("stats", "--json", "--reset").stdout)
    assert data["counts"]["requests"] == 10
    assert data["withheld"]["after_deletion"] == 1
    assert data["latency_ms"] == {"p50": 20.0, "p95": 30.0, "p99": 30.0}
    assert data["acceptance_rate"] == 0.5
    assert run("stats").stdout == "Nothing has been counted yet.\n"
