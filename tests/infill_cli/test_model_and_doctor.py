"""Choosing a model and checking the installation."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from infill_cli import doctor_command
from infill_cli.checks import Finding
from infill_client.settings import read_settings


@pytest.fixture
def model_folder(folders: Path, tiny_folder: Path) -> Path:
    """A copy of the tiny model, to be damaged."""
    return Path(shutil.copytree(tiny_folder, folders / "work" / "small"))


def test_use_stores_an_absolute_folder(run: Any, model_folder: Path) -> None:
    result = run("model", "use", "small")
    assert result.exit_code == 0, result.stderr
    assert "0.1 M parameters, 0 MiB, F32" in result.stdout
    assert read_settings().model == str(model_folder.resolve())
    assert f"* {model_folder.resolve()}" in run("model", "list").stdout
    assert "canvas         16 tokens" in run("model", "info").stdout


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", None, "config.json does not exist"),
        ("config.json", b"{", "cannot be read as JSON"),
        ("config.json", b"[]", "holds a list; a JSON object is needed"),
        ("config.json", b"[" * 100_000, "cannot be read as JSON"),
        ("config.json", b'{"model_type": "llama"}', "holds a model of type 'llama'"),
        (
            "config.json",
            b'{"model_type": "diffusion_gemma", "text_config": [1]}',
            "text_config is no object",
        ),
        ("tokenizer.json", b"{", "cannot be read as a tokenizer"),
        ("tokenizer.json", None, "holds no tokenizer.json"),
        ("model.safetensors", None, "holds no weights"),
        ("model.safetensors", b"", "its header cannot be read"),
        ("model.safetensors", b"\xff" * 100, "its header cannot be read"),
        ("model.safetensors.index.json", b"{}", "has no weight_map"),
        ("model.safetensors.index.json", b'{"weight_map": {"w": "b"}}', "lacks b"),
    ],
)
def test_damaged_folder_is_told_and_not_chosen(
    run: Any, model_folder: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is None:
        (model_folder / name).unlink()
    else:
        (model_folder / name).write_bytes(content)
    result = run("model", "use", "small")
    assert result.exit_code == 2
    assert message in result.stderr
    assert read_settings().model == "embedded"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 64}, "has shape [384, 32]; config.json asks for [384, 64]"),
        ({"vocab_size": 300}, "config.json allows 300"),
        ({"num_hidden_layers": 99, "layer_types": None}, "config.json asks for 99 layers"),
        ({"num_hidden_layers": 1, "layer_types": None}, "config.json asks for 1 layers"),
        ({"head_dim": "x"}, "a field has the wrong type"),
    ],
)
def test_parts_that_do_not_fit_are_told_and_not_chosen(
    run: Any, model_folder: Path, changes: dict[str, Any], message: str
) -> None:
    config = json.loads((model_folder / "config.json").read_text())
    config["text_config"] |= changes
    (model_folder / "config.json").write_text(json.dumps(config))
    result = run("model", "use", "small")
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert read_settings().model == "embedded"


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F32", "shape": "abc", "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": ["x"], "data_offsets": [0, 4]},
        {"dtype": [1], "shape": [1], "data_offsets": [0, 4]},
        {"shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": ["a", "b"]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0]},
        7,
    ],
)
def test_damaged_weight_header_is_told(run: Any, model_folder: Path, tensor: object) -> None:
    header = json.dumps({"w": tensor}).encode()
    data = len(header).to_bytes(8, "little") + header + bytes(4)
    (model_folder / "model.safetensors").write_bytes(data)
    result = run("model", "use", "small")
    assert result.exit_code == 2
    assert "its header cannot be read" in result.stderr


def test_truncated_weights_are_told(run: Any, model_folder: Path) -> None:
    file = model_folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    result = run("model", "info", "small")
    assert result.exit_code == 2
    assert "is damaged: it has" in result.stderr


def test_fetching_without_a_network_is_a_clear_sentence(
    run: Any, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    result = run("model", "use", "owner/no-such-model")
    assert result.exit_code == 2
    assert result.stderr.startswith("infill-ls: owner/no-such-model could not be fetched: no net")


def test_doctor_says_what_is_broken(
    run: Any, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = Finding("torch", "ok", "2.0"), Finding("Device", "ok", "CPU")
    monkeypatch.setattr(doctor_command, "check_torch", lambda: fine)
    (folders / "config").mkdir()
    (folders / "config" / "config.toml").write_text(f"model = '{folders}/nowhere'")
    result = run("doctor")
    assert result.exit_code == 2
    assert "✗ Model" in result.stdout
    assert "model use embedded" in result.stdout
    assert "Not usable yet" in result.stdout


def test_doctor_is_content_with_a_model_in_place(
    run: Any, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = Finding("torch", "ok", "2.0"), Finding("Device", "ok", "CPU")
    monkeypatch.setattr(doctor_command, "check_torch", lambda: fine)
    assert run("model", "use", "small").exit_code == 0
    result = run("doctor", "--no-start")
    assert result.exit_code == 0, result.stdout
    assert "not running; starts when first asked" in result.stdout
    assert "Ready to use." in result.stdout
