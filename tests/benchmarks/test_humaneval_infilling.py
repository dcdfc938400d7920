"""The quality benchmark: gold passes, empty gives the floor, the engine's text is judged."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import humaneval_infilling as benchmark
from benchmarks.infilling_tasks import SPLITS, read_tasks
from infill_engine.api import ConfigError
from infill_engine.tokenizer import Tokenizer
from tests.benchmarks.toy_tasks import TOY_TASKS, write_toy_split
from tests.tiny_checkpoint import tiny_tokenizer


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    command = ["--split", "single-line", "--data", str(folder), "--json", *arguments]
    result = CliRunner().invoke(benchmark.humaneval_infilling, command, catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture
def toy_folder(tmp_path: Path) -> Path:
    write_toy_split(tmp_path)
    return tmp_path


def test_gold_completions_all_pass(toy_folder: Path) -> None:
    report = run(toy_folder, "--completion", "gold")
    assert report["pass_at_1"] == report["exact_match"] == report["edit_similarity"] == 1.0
    assert report["floor"] == 0.25
    assert report["published_floor"] == 0.0261
    assert report["num_tasks"] == len(TOY_TASKS)


def test_empty_completions_are_the_floor(toy_folder: Path) -> None:
    report = run(toy_folder, "--completion", "empty")
    assert report["pass_at_1"] == report["floor"] == 0.25
    assert report["exact_match"] == 0.0


@pytest.mark.parametrize("mode", ["block", "line"])
def test_the_engine_is_asked_and_judged(toy_folder: Path, tiny_folder: Path, mode: str) -> None:
    samples = toy_folder / "samples.jsonl"
    report = run(
        toy_folder,
        *("--model", str(tiny_folder), "--mode", mode, "--limit", "2", "--samples", str(samples)),
    )
    assert report["num_tasks"] == report["limit"] == 2
    assert report["mean_steps"] >= 1
    assert report["p95_ms"] >= report["p50_ms"] > 0
    assert {"prefill", "denoise", "step", "completion"} == set(report["timings_ms"])
    assert {"cpu_model", "python", "torch", "commit", "load_average"} <= set(report["machine"])
    written = [json.loads(line) for line in samples.read_text().splitlines()]
    assert [sample["task_id"] for sample in written] == ["Toy/0/L0", "Toy/1/L1"]
    assert all(sample["completion"].endswith("\n") for sample in written) or mode == "block"


def test_a_known_length_is_told(toy_folder: Path, tiny_folder: Path) -> None:
    report = run(toy_folder, "--model", str(tiny_folder), "--limit", "2", "--known-length")
    assert report["known_length"]
    solutions = [TOY_TASKS[idx].canonical_solution for idx in (0, 2)]
    lengths = [len(Tokenizer(tiny_tokenizer()).encode(solution)) for solution in solutions]
    assert report["mean_tokens"] == sum(lengths) / 2


def test_missing_data_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="openai/human-eval-infilling"):
        read_tasks(tmp_path, SPLITS["single-line"])


@pytest.mark.parametrize("content", [b"not gzip", gzip.compress(b"{}"), gzip.compress(b"[1]")[:-9]])
def test_damaged_data_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SPLITS["single-line"].file_name).write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_tasks(tmp_path, SPLITS["single-line"])


def test_main_ends_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["benchmark", "--split", "single-line", "--data", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as ended:
        benchmark.main()
    assert ended.value.code == 2
    assert "does not exist" in capsys.readouterr().err
