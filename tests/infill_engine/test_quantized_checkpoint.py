"""Checkpoints in the published quantised formats load to what they stand for, or say why not."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from infill_engine.checkpoint import load_model, stores_int8
from infill_engine.checkpoint.layout import decoder_tensors
from infill_engine.checkpoint.stored_weight import StoredWeight
from infill_engine.checkpoint.weights import OfficialWeights
from infill_engine.model.quantization import read_weight_format
from tests.checkpoint_edits import edit_tensors, message_of_loading
from tests.quantized_checkpoint import RELEASES, quantizable_config, write_quantized_checkpoint

CPU = torch.device("cpu")
Q_PROJ = "model.decoder.layers.0.self_attn.q_proj.weight"
EXPERT = "model.decoder.layers.2.experts.3.up_proj.weight"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("release", RELEASES)
def test_loads_what_it_stands_for(tmp_path: Path, release: str, dtype: torch.dtype) -> None:
    meaning = write_quantized_checkpoint(tmp_path, release)
    loaded = load_model(tmp_path, CPU, dtype).state_dict()
    assert {f"model.decoder.{name}" for name in loaded} == set(meaning)
    for name, tensor in loaded.items():
        want = meaning[f"model.decoder.{name}"]
        assert tensor.dtype == dtype
        tolerance = 1e-6 if dtype == torch.float32 else 2**-8
        torch.testing.assert_close(tensor.float(), want, rtol=tolerance, atol=1e-7, msg=name)


@pytest.mark.parametrize("release", ["fp8", "int4", "nvfp4"])
def test_stacked_float_experts_beside_quantised_layers(tmp_path: Path, release: str) -> None:
    meaning = write_quantized_checkpoint(tmp_path, release, are_experts_stacked=True)
    loaded = load_model(tmp_path, CPU, torch.float32)
    name = "layers.1.experts.gate_up_proj"
    assert torch.equal(loaded.state_dict()[name], meaning[f"model.decoder.{name}"])


def test_packed_weights_can_be_had_as_they_are(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "int4")
    config = quantizable_config()
    how = read_weight_format(json.loads((tmp_path / "config.json").read_text()))
    weights = OfficialWeights(tmp_path, decoder_tensors(config), how)
    stack = list(weights.stored("model.decoder.layers.0.experts.gate_up_proj"))
    assert [piece.place for piece, _ in stack[:3]] == [
        (0, slice(0, 32)),
        (0, slice(32, 64)),
        (1, slice(0, 32)),
    ]
    for _, stored in stack:
        assert isinstance(stored, StoredWeight)
        assert (stored.format.name, stored.format.group_size) == ("packed_int", 32)
        assert stored.packed.shape == (32, 8) and stored.packed.dtype == torch.int32
        assert stored.scale.shape == (32, 2)
        assert stored.to(CPU).dequantize(torch.bfloat16).shape == (32, 64)
    assert weights.dtype("model.decoder.layers.0.experts.gate_up_proj") is None
    assert weights.dtype("model.decoder.norm.weight") == "F32"


def test_a_chunk_is_no_boundary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infill_engine.checkpoint.stored_weight._CPU_CHUNK_ELEMENTS", 1)
    for release in ("int4 zeros", "awq", "nvfp4"):
        meaning = write_quantized_checkpoint(tmp_path / release, release)
        loaded = load_model(tmp_path / release, CPU, torch.float32).state_dict()
        name = "layers.0.mlp.down_proj.weight"
        torch.testing.assert_close(loaded[name], meaning[f"model.decoder.{name}"])


def test_int8_channels_are_computed_with_as_stored(tmp_path: Path) -> None:
    meaning = write_quantized_checkpoint(tmp_path, "int8")
    assert stores_int8(tmp_path)
    model = load_model(tmp_path, CPU, torch.float32, has_int8_weights=True)
    weight = model.layers[0].self_attn.q_proj.weight
    scale = model.layers[0].self_attn.q_proj.weight_scale
    assert weight.dtype == torch.int8
    torch.testing.assert_close(weight.float() * scale.unsqueeze(-1), meaning[Q_PROJ])


@pytest.mark.parametrize("release", RELEASES)
def test_a_missing_part_is_named(tmp_path: Path, release: str) -> None:
    write_quantized_checkpoint(tmp_path, release)
    module = EXPERT.removesuffix("weight")
    whole = load_file(tmp_path / "model.safetensors")
    parts = [name for name in whole if name.startswith(module)]
    optional = ("input_scale", "input_global_scale", "weight_shape", "weight_g_idx")
    assert len(parts) >= 2
    for part in parts:
        if part.endswith(optional):
            continue
        save_file({n: t for n, t in whole.items() if n != part}, tmp_path / "model.safetensors")
        message = message_of_loading(tmp_path)
        assert module in message and ("missing" in message or "lacks" in message)


@pytest.mark.parametrize("release", RELEASES)
def test_a_part_of_wrong_shape_is_named(tmp_path: Path, release: str) -> None:
    write_quantized_checkpoint(tmp_path, release)
    module = EXPERT.removesuffix("weight")
    whole = load_file(tmp_path / "model.safetensors")
    for part in [name for name in whole if name.startswith(module)]:
        wrong = torch.zeros(3, 5, dtype=whole[part].dtype)
        save_file({**whole, part: wrong}, tmp_path / "model.safetensors")
        assert f"{part} has shape [3, 5]; config.json asks for [" in message_of_loading(tmp_path)


def test_a_part_of_wrong_type_is_named(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "int4")
    wrong = torch.zeros(32, 8, dtype=torch.int64)
    edit_tensors(tmp_path, lambda tensors: tensors.update({f"{EXPERT}_packed": wrong}))
    message = message_of_loading(tmp_path)
    assert f"{EXPERT}_packed is I64 of shape [32, 8]; packed int4 in groups of 32 needs" in message


def test_another_format_than_config_json_has(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "fp8")
    path = tmp_path / "config.json"
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"quantization_config": RELEASES["int8"][1]}))
    assert "is stored as F8_E4M3; only F32, F16, BF16 and" in message_of_loading(tmp_path)
    del raw["quantization_config"]
    path.write_text(json.dumps(raw))
    assert "is stored as F8_E4M3" in message_of_loading(tmp_path)


def test_a_stored_shape_that_does_not_fit(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "int4")
    wrong = torch.tensor([32, 61])
    edit_tensors(tmp_path, lambda tensors: tensors.update({f"{Q_PROJ}_shape": wrong}))
    assert f"{Q_PROJ}_shape says [32, 61]" in message_of_loading(tmp_path)


def test_group_numbers_out_of_range(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "int4 reordered")
    edit_tensors(tmp_path, lambda tensors: tensors[f"{Q_PROJ}_g_idx"].fill_(7))
    assert f"{Q_PROJ}_g_idx names group 7" in message_of_loading(tmp_path)


def test_groups_that_do_not_divide_the_columns(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "int4")
    path = tmp_path / "config.json"
    raw = json.loads(path.read_text())
    raw["quantization_config"]["config_groups"]["group_0"]["weights"]["group_size"] = 48
    path.write_text(json.dumps(raw))
    assert "which groups of 48 do not divide" in message_of_loading(tmp_path)


def test_scales_of_a_rounded_cache_are_read_past(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "nvfp4 modelopt")
    name = "model.decoder.layers.0.self_attn.k_proj.k_scale"
    edit_tensors(tmp_path, lambda tensors: tensors.update({name: torch.tensor(1.0)}))
    load_model(tmp_path, CPU, torch.float32)


def test_other_numbers_beside_a_matrix_are_refused(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "fp8")
    name = Q_PROJ.replace("weight", "bias")
    edit_tensors(tmp_path, lambda tensors: tensors.update({name: torch.zeros(32)}))
    assert f"The checkpoint has {name} of shape [32]" in message_of_loading(tmp_path)
