"""`infill-ls model quantize`: a folder that can be used, or one sentence and exit code 2."""

import errno
from pathlib import Path
from typing import Any

import pytest

from infill_cli.model_folder import read_model_facts
from infill_client.settings import read_settings
from infill_engine.checkpoint.conversion import convert
from tests.quantized_checkpoint import (
    RELEASES,
    quantizable_config,
    write_quantized_checkpoint,
)
from tests.tiny_checkpoint import write_tiny_checkpoint


@pytest.fixture
def source(folders: Path) -> Path:
    write_tiny_checkpoint(folders / "work" / "large", quantizable_config())
    return folders / "work" / "large"


@pytest.mark.parametrize(
    ("target", "words"),
    [("fp8", "fp8"), ("int4", "packed int4 in groups of 32"), ("int8", "int8")],
)
def test_the_copy_can_be_used(run: Any, source: Path, target: str, words: str) -> None:
    result = run("model", "quantize", "large", "small", "--to", target)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("Wrote small: 0.00 GB in 1 file, from 0.00 GB. Choose it with")
    result = run("model", "use", "small")
    assert result.exit_code == 0, result.stderr
    assert f"0.2 M parameters, 0 MiB, {words}" in result.stdout
    assert read_settings().model == str((source.parent / "small").resolve())
    assert f"quantised      {words}" in run("model", "info").stdout


def test_going_on_is_told(run: Any, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(convert, "_write_rest", interrupt)
        assert run("model", "quantize", "large", "small", "--to", "fp8").exit_code == 2
    result = run("model", "quantize", "large", "small", "--to", "fp8")
    assert result.exit_code == 0, result.stderr
    assert "in 1 file, 1 of them kept from before" in result.stdout


def interrupt(*_arguments: Any) -> None:
    raise KeyboardInterrupt


def test_an_interruption_is_one_sentence(
    run: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "write_shard", interrupt)
    result = run("model", "quantize", "large", "small", "--to", "fp8")
    assert result.exit_code == 2
    assert "infill-ls: Interrupted; small is not finished. The same command goes on" in (
        result.stderr
    )
    assert "Traceback" not in result.stderr
    result = run("model", "use", "small")
    assert result.exit_code == 2 and "config.json does not exist" in result.stderr


def test_a_full_disk_is_one_sentence(
    run: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(convert, "write_shard", fail)
    result = run("model", "quantize", "large", "small", "--to", "fp8")
    assert result.exit_code == 2
    assert "The disk of small is full (No space left on device); free some space" in result.stderr


def test_what_cannot_be_quantised(run: Any, source: Path) -> None:
    def message(*arguments: str) -> str:
        result = run("model", "quantize", *arguments)
        assert result.exit_code == 2 and result.stdout == ""
        return result.stderr

    assert "Missing option '--to'" in message("large", "small")
    assert "'int3' is not one of" in message("large", "small", "--to", "int3")
    assert "is not a new folder" in message("large", "large", "--to", "fp8")
    assert "does not exist" in message("nowhere", "small", "--to", "fp8")
    assert "is quantised already (int8)" in message("embedded", "small", "--to", "fp8")
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "is damaged: it has" in message("large", "small", "--to", "fp8")
    assert not (source.parent / "small").exists()


@pytest.mark.parametrize("release", RELEASES)
def test_published_releases_are_described(run: Any, folders: Path, release: str) -> None:
    folder = folders / "work" / "published"
    write_quantized_checkpoint(folder, release)
    facts = read_model_facts(folder)
    assert facts.quantization
    result = run("model", "use", "published")
    assert result.exit_code == 0, result.stderr
    assert f"0.2 M parameters, 0 MiB, {facts.quantization}" in result.stdout


def test_an_unknown_quantisation_is_not_chosen(run: Any, folders: Path) -> None:
    folder = folders / "work" / "published"
    write_quantized_checkpoint(folder, "fp8")
    config = folder / "config.json"
    config.write_text(config.read_text().replace("compressed-tensors", "gptq"))
    result = run("model", "use", "published")
    assert result.exit_code == 2
    assert "the weights are quantised by 'gptq'. What can be loaded: plain floats" in result.stderr
    assert read_settings().model == "embedded"
