"""Whatever is wrong with a model folder ends in one clear sentence that names the culprit."""

import errno
import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from infill_engine.api import CheckpointError, OutOfMemory
from infill_engine.checkpoint import load_model, loader, save_checkpoint, writer
from infill_engine.generation_config import GenerationConfig, read_generation_config
from tests.checkpoint_edits import edit_tensors, message_of_loading
from tests.tiny_checkpoint import tiny_model, write_tiny_checkpoint

CPU = torch.device("cpu")
Q_PROJ = "model.decoder.layers.0.self_attn.q_proj.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tiny_checkpoint(tmp_path)
    return tmp_path


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    raw = json.loads(path.read_text())
    raw["text_config"] |= changes
    path.write_text(json.dumps(raw))


def test_nothing_there(tmp_path: Path) -> None:
    assert "config.json does not exist" in message_of_loading(tmp_path)


def test_no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "neither model.safetensors nor" in message_of_loading(folder)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_cut_short(folder: Path, kept: float) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert "model.safetensors is damaged or cut short" in message_of_loading(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 64,
        struct.pack("<Q", 12) + b"not json at!" + bytes(64),
        struct.pack("<Q", 2**60) + bytes(64),
        b"<html><body>404 Not Found</body></html>",
    ],
    ids=["ones", "header", "huge header", "html"],
)
def test_garbage(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    assert "model.safetensors is damaged" in message_of_loading(folder)


def test_weights_are_a_folder(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()
    assert "model.safetensors" in message_of_loading(folder)


def test_git_lfs_pointer(folder: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (folder / "model.safetensors").write_bytes(pointer)
    assert "git lfs pull" in message_of_loading(folder)


def test_missing_tensor(folder: Path) -> None:
    edit_tensors(folder, lambda tensors: tensors.pop(Q_PROJ))
    assert f"lacks {Q_PROJ}, expected with shape [32, 32]" in message_of_loading(folder)


def test_unknown_tensor(folder: Path) -> None:
    name = "model.decoder.layers.9.self_attn.q_proj.weight"
    edit_tensors(folder, lambda tensors: tensors.update({name: torch.zeros(3, 2)}))
    assert f"has {name} of shape [3, 2]" in message_of_loading(folder)


def test_wrong_shape(folder: Path) -> None:
    edit_tensors(folder, lambda tensors: tensors.update({Q_PROJ: torch.zeros(32, 31)}))
    assert f"{Q_PROJ} has shape [32, 31]; config.json asks for [32, 32]" in message_of_loading(
        folder
    )


def test_unknown_number_type(folder: Path) -> None:
    wrong = torch.zeros(32, 32, dtype=torch.float64)
    edit_tensors(folder, lambda tensors: tensors.update({Q_PROJ: wrong}))
    assert f"{Q_PROJ} is stored as F64" in message_of_loading(folder)


def test_int8_without_scales(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path, quantize_int8=True)
    edit_tensors(tmp_path, lambda tensors: tensors.pop(Q_PROJ + "_scale"))
    assert f"its scales {Q_PROJ}_scale are missing" in message_of_loading(tmp_path)


def test_int8_with_wrong_scales(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path, quantize_int8=True)
    edit_tensors(tmp_path, lambda tensors: tensors.update({Q_PROJ + "_scale": torch.ones(5)}))
    assert f"{Q_PROJ}_scale has shape [5]; config.json asks for [32] or" in message_of_loading(
        tmp_path
    )


def test_scales_without_int8(folder: Path) -> None:
    edit_tensors(folder, lambda tensors: tensors.update({Q_PROJ + "_scale": torch.ones(32)}))
    assert f"{Q_PROJ} is F32, not quantised" in message_of_loading(folder)


def test_unequal_layer_scalars(folder: Path) -> None:
    name = "model.encoder.language_model.layers.1.layer_scalar"
    edit_tensors(folder, lambda tensors: tensors[name].add_(1e-3))
    assert f"{name} differs from model.decoder.layers.1.layer_scalar" in message_of_loading(folder)


def test_layer_scalars_of_the_encoder_may_be_absent(folder: Path) -> None:
    def drop(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if name.startswith("model.encoder.")]:
            del tensors[name]

    edit_tensors(folder, drop)
    load_model(folder, CPU, torch.float32)


def test_copies_are_accepted_when_equal(folder: Path) -> None:
    embedding = "model.decoder.embed_tokens.weight"

    def copy(tensors: dict[str, torch.Tensor]) -> None:
        tensors["lm_head.weight"] = tensors[embedding].clone()
        norm = tensors["model.decoder.norm.weight"].clone()
        tensors["model.encoder.language_model.norm.weight"] = norm

    edit_tensors(folder, copy)
    load_model(folder, CPU, torch.float32)
    edit_tensors(folder, lambda tensors: tensors["lm_head.weight"].mul_(2))
    assert "lm_head.weight differs from" in message_of_loading(folder)


def test_images_are_skipped(folder: Path) -> None:
    images = {
        "model.encoder.vision_tower.patch_embedder.input_proj.weight": torch.zeros(2, 2),
        "model.encoder.embed_vision.embedding_projection.weight": torch.zeros(2, 2).double(),
    }
    edit_tensors(folder, lambda tensors: tensors.update(images))
    load_model(folder, CPU, torch.float32)


def test_config_of_another_model(folder: Path) -> None:
    edit_config(folder, hidden_size=48)
    assert "config.json asks for [384, 48]" in message_of_loading(folder)
    edit_config(folder, hidden_size="wide")
    assert "config.json" in message_of_loading(folder)
    (folder / "config.json").write_text("{")
    assert "cannot be read as JSON" in message_of_loading(folder)


def test_foreign_quantisation(folder: Path) -> None:
    path = folder / "config.json"
    raw = json.loads(path.read_text()) | {"quantization_config": {"quant_method": "gptq"}}
    path.write_text(json.dumps(raw))
    assert "quantised by 'gptq'" in message_of_loading(folder)


@pytest.mark.parametrize(
    ("weight_map", "expected"),
    [
        ({}, "has no weight_map"),
        ({"a": "../secret.safetensors"}, "a file name in the same folder"),
        ({"a": 5}, "a file name in the same folder"),
        ({"a": "model-1.safetensors"}, "does not exist"),
    ],
)
def test_bad_index(folder: Path, weight_map: dict[str, Any], expected: str) -> None:
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    assert expected in message_of_loading(folder)


def test_files_that_do_not_match_their_index(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, tiny_model(), False, {}, max_shard_bytes=20_000)
    first, second = sorted(tmp_path.glob("model-*.safetensors"))[:2]
    original = second.read_bytes()
    second.write_bytes(first.read_bytes())
    assert f"{second} lacks" in message_of_loading(tmp_path)
    second.write_bytes(original)
    twice = load_file(second) | {"model.decoder.norm.weight": torch.ones(32)}
    save_file(twice, second)
    assert "in another file too" in message_of_loading(tmp_path)


def test_not_enough_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "_free_bytes", lambda _device: 1000)
    with pytest.raises(OutOfMemory, match=r"0\.00 GB on cpu, where 0\.00 GB are free"):
        load_model(folder, CPU, torch.bfloat16)
    load_model(folder, CPU, torch.float32)  # mapped as stored: needs no memory of its own


def test_memory_runs_out_on_the_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")

    monkeypatch.setattr(loader, "_place", fail)
    with pytest.raises(OutOfMemory, match="The weights need"):
        load_model(folder, CPU, torch.float32)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_full_disk_keeps_the_old_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise error

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(writer, "save_file", fail)
    with pytest.raises(CheckpointError, match=r"The disk of .* is full"):
        save_checkpoint(folder, tiny_model(seed=1), False, {})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_disk_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(writer.shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(CheckpointError, match=r"MB are needed, 1\.0 MB are free"):
        save_checkpoint(tmp_path, tiny_model(), False, {})
    assert list(tmp_path.iterdir()) == []


def test_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written to"):
        save_checkpoint(tmp_path / "file", tiny_model(), False, {})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"max_denoising_steps": 0}, "max_denoising_steps is 0; it must be at least 1"),
        ({"max_denoising_steps": "many"}, "it must be a whole number"),
        ({"t_min": 0.9}, "t_max is 0.8; it must be at least t_min, 0.9"),
        ({"sampler_config": {"entropy_bound": -1}}, "entropy_bound is -1.0"),
        ({"sampler_config": {"_cls_name": "Other"}}, "'Other'"),
        ({"eos_token_id": "end"}, "a token id or a list of them"),
        ({"infill": {"noise": "pink"}}, "noise is 'pink'"),
        ({"infill": {"acceptance_order": "last"}}, "acceptance_order is 'last'"),
        ({"infill": {"calibration": {"bias": 1}}}, "infill.calibration lacks slope"),
        ({"infill": {"drafting": {"bias": "high"}}}, "bias is 'high'; it must be a number"),
        ({"infill": 3}, "infill is 3; it must be an object"),
    ],
)
def test_wrong_generation_settings(tmp_path: Path, raw: dict[str, Any], expected: str) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps(raw))
    with pytest.raises(CheckpointError) as caught:
        read_generation_config(tmp_path)
    assert expected in str(caught.value)


def test_absent_generation_settings_are_official() -> None:
    official = {"max_denoising_steps": 48, "eos_token_id": [1, 106, 50], "t_min": None}
    assert GenerationConfig.from_dict(official) == GenerationConfig()
