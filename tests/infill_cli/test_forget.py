"""`infill-ls forget`: nothing of this user is left, and nothing of anybody else is touched."""

from pathlib import Path
from typing import Any

import pytest

from infill_client.settings import choose_model
from infill_engine.process_state import find_process, read_state, runtime_folder
from lsp_server.speaking.request_log import request_log_file
from lsp_server.speaking.stats import Stats
from lsp_server.speaking.stats_file import STATE_DIR_VARIABLE, add_to_stats, stats_file


@pytest.fixture
def kept(folders: Path, monkeypatch: pytest.MonkeyPatch, run: Any) -> Path:
    """Folders after some use: settings, counters, a log and an engine that runs."""
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(folders / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folders / "cache"))
    (folders / "cache" / "infill-ls" / "kernels").mkdir(parents=True)
    choose_model("embedded")
    stats = Stats()
    stats.count("requests", 1)
    assert add_to_stats(stats_file(), stats)
    request_log_file().write_text("{}\n")
    assert run("engine", "start").exit_code == 0
    return folders


def test_nothing_is_left(kept: Path, run: Any) -> None:
    state = read_state()
    assert state is not None
    result = run("forget", "--yes")
    assert result.exit_code == 0, result.output
    assert "config.toml" in result.output
    assert "stats.json" in result.output
    assert find_process(state) is None
    left = [path for path in kept.rglob("*") if path != kept / "work"]
    assert left == [kept / "cache"]


def test_what_others_put_there_stays(kept: Path, run: Any) -> None:
    other = runtime_folder() / "of-somebody-else"
    other.touch()
    assert run("forget", "--yes").exit_code == 0
    assert other.exists()


def test_it_asks_first(kept: Path, run: Any) -> None:
    assert run("forget").exit_code != 0
    assert stats_file().exists()
