"""The latency benchmark from start to end with a tiny model; it leaves nothing running."""

import json
import os
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from benchmarks import latency as benchmark
from infill_engine.process_state import RUNTIME_DIR_VARIABLE


@pytest.mark.e2e
def test_everything_is_measured(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUNTIME_DIR_VARIABLE, raising=False)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    command = ["--model", str(tiny_folder), "--num-requests", "2", "--num-typed", "2"]
    command += ["--context-tokens", "64", "--num-starts", "1", "--json"]
    result = CliRunner().invoke(benchmark.latency, command, catch_exceptions=False)
    assert result.exit_code == 0
    report = json.loads(result.stdout.splitlines()[-1])

    assert report["ready_s"]["count"] == 1
    assert report["peak_memory_mib"] >= report["memory_when_ready_mib"] > 50
    for answers in (report["http"], report["in_process"]):
        assert answers["cold"]["completion_ms"]["count"] == 2
        assert answers["typed"]["completion_ms"]["count"] == 4
        cold, typed = answers["cold"], answers["typed"]
        assert cold["prefilled_tokens"]["min"] > 50 > 5 >= typed["prefilled_tokens"]["p50"]
        assert 0 < cold["prefill_ms"]["p50"] < cold["completion_ms"]["max"]
        assert cold["steps"]["min"] >= 1
    assert set(report["targets"]) == {
        "ready_p50_s",
        "cold_p50_ms",
        "typed_p50_ms",
        "peak_memory_mib",
    }
    for target in report["targets"].values():
        assert target["met"] == (target["measured"] <= target["target"])

    assert RUNTIME_DIR_VARIABLE not in os.environ
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_a_missing_model_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["latency", "--model", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as ended:
        benchmark.main()
    assert ended.value.code == 2
    assert "does not exist" in capsys.readouterr().err
