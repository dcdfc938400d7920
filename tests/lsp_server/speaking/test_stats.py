"""Counters and the file they are kept in."""

import json
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.speaking.reasons import REASONS, SENTENCES
from lsp_server.speaking.stats import COUNTERS, MAX_SAMPLES, Stats
from lsp_server.speaking.stats_file import (
    STATE_DIR_VARIABLE,
    add_to_stats,
    read_stats,
    reset_stats,
    stats_file,
)


def counted() -> Stats:
    stats = Stats()
    stats.count("shown", 4)
    stats.count("accepted")
    stats.count_withheld("excluded")
    for took_ms in range(1, 101):
        stats.note_latency(took_ms)
    return stats


def test_percentiles_by_nearest_rank() -> None:
    stats = counted()
    assert [stats.percentile_ms(percent) for percent in (1, 50, 95, 99, 100)] == [
        1,
        50,
        95,
        99,
        100,
    ]
    assert Stats().percentile_ms(50) == 0.0


def test_only_the_latest_latencies_are_kept() -> None:
    stats = Stats()
    for took_ms in range(MAX_SAMPLES + 10):
        stats.note_latency(took_ms)
    assert (len(stats.latencies_ms), stats.latencies_ms[0]) == (MAX_SAMPLES, 10)


def test_the_acceptance_rate() -> None:
    stats = counted()
    assert stats.acceptance_rate == 0.25
    stats.count("partially_accepted", 9)
    assert stats.acceptance_rate == 1.0
    assert Stats().acceptance_rate == 0.0


def test_unknown_counters_are_refused() -> None:
    with pytest.raises(KeyError):
        Stats().count("surprise")


def test_every_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(REASONS)


def test_json_and_back() -> None:
    stats = Stats.from_json(json.loads(json.dumps(counted().as_json())))
    assert stats.as_json() == counted().as_json()
    assert set(counted().as_json()["counts"]) == set(COUNTERS)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["counts", "withheld", "latencies_ms", "shown"]), inner)
    ),
    max_leaves=12,
)


@given(json_values)
def test_whatever_a_damaged_file_holds_is_read(data: object) -> None:
    stats = Stats.from_json(data)
    assert all(num > 0 for num in stats.counts.values())
    assert stats.percentile_ms(50) >= 0


def test_servers_add_up_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "state"))
    path = stats_file()
    threads = [
        threading.Thread(target=add_to_stats, args=(path, counted(), 30.0)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = read_stats(path)
    assert (stats.counts["shown"], stats.withheld["excluded"]) == (32, 8)
    assert len(stats.latencies_ms) == 800
    reset_stats(path)
    reset_stats(path)
    assert read_stats(path).is_empty


def test_what_can_not_be_written_is_kept_by_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    with FileLock(path.with_suffix(".lock")):
        assert not add_to_stats(path, counted())
    assert add_to_stats(path, counted())
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert not add_to_stats(tmp_path / "file" / "stats.json", counted())
    assert [entry.name for entry in tmp_path.glob("stats-*")] == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"counts": 3}', "[" * 100_000])
def test_a_damaged_file_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stats.json"
    path.write_text(text, encoding="utf-8")
    assert read_stats(path).is_empty
    assert add_to_stats(path, counted())
    assert read_stats(path).counts["shown"] == 4
