"""The batching benchmark from start to end with a tiny model."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import batching as benchmark


def test_everything_is_measured(tiny_folder: Path) -> None:
    command = ["--model", str(tiny_folder), "--users", "1,3", "--num-requests", "4"]
    command += ["--repeats", "1", "--context-tokens", "64", "--dtype", "float32", "--json"]
    result = CliRunner().invoke(benchmark.batching, command, catch_exceptions=False)
    assert result.exit_code == 0
    report = json.loads(result.stdout.splitlines()[-1])
    ways = ["in turn, 1 slot", "in turn", "batch of 4"]
    assert [(row["users"], row["way"]) for row in report["rows"]] == [
        (num_users, way) for num_users in (1, 3) for way in ways
    ]
    for row in report["rows"]:
        assert row["answers"] == 4 * row["users"]
        assert row["requests_per_s"] > 0
        assert 0 < row["line_ms"]["p50"] <= row["line_ms"]["p95"]
        assert 1 <= row["rows_per_step"] <= (4 if row["way"] == "batch of 4" else 1)
    thrashing, keeping, _ = report["rows"][3:]
    assert keeping["cache_hit_ratio"] >= thrashing["cache_hit_ratio"]


def test_a_missing_model_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["batching", "--model", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as ended:
        benchmark.main()
    assert ended.value.code == 2
    assert "does not exist" in capsys.readouterr().err
