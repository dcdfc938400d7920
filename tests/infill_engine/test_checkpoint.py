"""A saved model loads back the same, in one file or many, in floats and int8."""

import json
import sys
from pathlib import Path

import pytest
import torch

from infill_engine.checkpoint import expected_tensors, load_model, save_checkpoint
from infill_engine.checkpoint.int8 import dequantize, quantize
from infill_engine.checkpoint.reader import TensorFiles
from infill_engine.confidence import Calibration
from infill_engine.draft_check import DraftCalibration
from infill_engine.generation_config import GenerationConfig, read_generation_config
from infill_engine.model.config import ModelConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma
from tests.tiny_checkpoint import tiny_config, tiny_model, write_tiny_checkpoint

CPU = torch.device("cpu")


def assert_same_weights(got: DiffusionGemma, want: DiffusionGemma, tolerance: float = 0.0) -> None:
    got_tensors, want_tensors = got.state_dict(), want.state_dict()
    assert got_tensors.keys() == want_tensors.keys()
    for name, tensor in want_tensors.items():
        largest = tensor.abs().max().item()
        torch.testing.assert_close(
            got_tensors[name], tensor, rtol=0, atol=tolerance * largest, msg=name
        )


def test_one_file_round_trip(tmp_path: Path) -> None:
    written = write_tiny_checkpoint(tmp_path)
    loaded = load_model(tmp_path, CPU, torch.float32)
    assert loaded.config == written.config
    assert_same_weights(loaded, written)
    assert not any(tensor.is_meta for tensor in loaded.state_dict().values())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_weights_can_be_read_by_whoever_reads_the_config(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path)
    modes = {(tmp_path / n).stat().st_mode for n in ("config.json", "model.safetensors")}
    assert len(modes) == 1


def test_many_files_round_trip(tmp_path: Path) -> None:
    written = tiny_model()
    save_checkpoint(tmp_path, written, False, {}, max_shard_bytes=20_000)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 3
    assert_same_weights(load_model(tmp_path, CPU, torch.float32), written)


def test_saving_again_replaces_the_other_layout(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, tiny_model(seed=1), False, {})
    save_checkpoint(tmp_path, tiny_model(seed=2), False, {}, max_shard_bytes=20_000)
    assert_same_weights(load_model(tmp_path, CPU, torch.float32), tiny_model(seed=2))
    save_checkpoint(tmp_path, tiny_model(seed=3), False, {})
    assert_same_weights(load_model(tmp_path, CPU, torch.float32), tiny_model(seed=3))
    assert [path.name for path in tmp_path.glob("*safetensors*")] == ["model.safetensors"]


def mapping_at(address: int) -> str:
    """The line of the process's memory map that holds `address`."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        begin, _, end = line.split()[0].partition("-")
        if int(begin, 16) <= address < int(end, 16):
            return line
    return ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc what is mapped")
def test_stored_dtype_is_mapped_not_copied(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path)
    model = load_model(tmp_path, CPU, torch.float32)
    before = (tmp_path / "model.safetensors").read_bytes()
    weight = model.embed_tokens.weight
    assert "model.safetensors" in mapping_at(weight.data_ptr())
    with torch.no_grad():
        weight.zero_()  # private pages: the file must not change
    assert (tmp_path / "model.safetensors").read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc what is mapped")
def test_int8_products_read_the_mapped_file(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path, quantize_int8=True)
    model = load_model(tmp_path, CPU, torch.float32, has_int8_weights=True)
    for weight in (model.embed_tokens.weight, model.layers[1].experts.down_proj):
        assert weight.dtype == torch.int8
        assert "model.safetensors" in mapping_at(weight.data_ptr())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_converts_to_the_dtype_asked_for(tmp_path: Path, dtype: torch.dtype) -> None:
    written = write_tiny_checkpoint(tmp_path)
    loaded = load_model(tmp_path, CPU, dtype)
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {dtype}
    assert_same_weights(loaded, written.to(dtype))


def test_progress_rises_to_one(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path)
    shares: list[float] = []
    load_model(tmp_path, CPU, torch.float32, lambda _what, share: shares.append(share))
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_int8_is_small_and_close(tmp_path: Path) -> None:
    written = write_tiny_checkpoint(tmp_path / "int8", quantize_int8=True)
    write_tiny_checkpoint(tmp_path / "float")
    # Half a step of the largest value in a row, 1 / 254, is the worst that rounding does.
    loaded = load_model(tmp_path / "int8", CPU, torch.float32)
    assert_same_weights(loaded, written, tolerance=1 / 253)
    files = TensorFiles(tmp_path / "int8")
    kept = {name for name in expected_tensors(written.config) if files.dtype(name) != "I8"}
    assert all("norm" in name or "router" in name or "scalar" in name for name in kept)
    assert files.dtype("model.decoder.embed_tokens.weight") == "I8"
    assert files.dtype("model.decoder.layers.0.experts.gate_up_proj") == "I8"
    assert files.shape("model.decoder.layers.0.experts.gate_up_proj_scale") == (4, 32)
    sizes = [(tmp_path / kind / "model.safetensors").stat().st_size for kind in ("int8", "float")]
    assert sizes[0] < 0.5 * sizes[1]


def test_int8_round_trip_is_exact(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path / "first", quantize_int8=True)
    first = load_model(tmp_path / "first", CPU, torch.float32)
    save_checkpoint(tmp_path / "second", first, True, {})
    assert_same_weights(load_model(tmp_path / "second", CPU, torch.float32), first, 1e-6)


def test_int8_keeps_zero_rows_and_takes_scales_as_a_column() -> None:
    weight = torch.randn(3, 5, 7)
    weight[1, 2] = 0
    stored, scale = quantize(weight)
    assert stored.dtype == torch.int8 and scale.shape == (3, 5)
    back = dequantize(stored, scale.unsqueeze(-1), torch.float32)
    assert not back[1, 2].any()
    assert ((back - weight).abs() <= scale.unsqueeze(-1) / 2 + 1e-7).all()


def test_the_real_model_has_every_official_tensor() -> None:
    config = ModelConfig()
    tensors = expected_tensors(config)
    # The official index has 1,047 tensors, of which 355 + 1 belong to images.
    assert len(tensors) == 1047 - 356
    full_layers = [i for i in range(30) if not config.is_sliding(i)]
    assert full_layers == [5, 11, 17, 23, 29]
    assert not any(f"layers.{i}.self_attn.v_proj.weight" in n for i in full_layers for n in tensors)
    spot_checks = {
        "model.decoder.embed_tokens.weight": (262144, 2816),
        "model.decoder.layers.0.self_attn.q_proj.weight": (4096, 2816),
        "model.decoder.layers.0.self_attn.v_proj.weight": (2048, 2816),
        "model.decoder.layers.5.self_attn.q_proj.weight": (8192, 2816),
        "model.decoder.layers.5.self_attn.k_proj.weight": (1024, 2816),
        "model.decoder.layers.5.self_attn.o_proj.weight": (2816, 8192),
        "model.decoder.layers.29.experts.gate_up_proj": (128, 1408, 2816),
        "model.decoder.layers.29.experts.down_proj": (128, 2816, 704),
        "model.decoder.layers.29.router.per_expert_scale": (128,),
        "model.decoder.self_conditioning.down_proj.weight": (2816, 2112),
        "model.encoder.language_model.layers.29.layer_scalar": (1,),
    }
    assert {name: tensors[name] for name in spot_checks} == spot_checks


@pytest.mark.parametrize("config", [ModelConfig(), tiny_config()], ids=["26B", "tiny"])
def test_every_tensor_has_its_place_in_the_model(config: ModelConfig) -> None:
    with torch.device("meta"):
        model = DiffusionGemma(config)
    in_model = {f"model.decoder.{n}": tuple(t.shape) for n, t in model.state_dict().items()}
    stored = expected_tensors(config)
    copies = {n: s for n, s in stored.items() if n.startswith("model.encoder.")}
    assert in_model == {n: s for n, s in stored.items() if n not in copies}
    assert len(copies) == config.num_layers
    if config == ModelConfig():
        sizes = {name: p.numel() for name, p in model.named_parameters()}
        assert sum(sizes.values()) == 25_250_986_752
        # Counted without routers and norms, as published counts are.
        matrices = sum(
            n for name, n in sizes.items() if "router" not in name and "norm" not in name
        )
        assert round(matrices / 1e9, 2) == 25.24


def test_generation_settings_round_trip(tmp_path: Path) -> None:
    chosen = GenerationConfig(
        max_denoising_steps=7,
        eos_token_ids=(5,),
        noise="mask",
        t_min=0.5,
        acceptance_order="leading",
        calibration=Calibration(2.0, 0.5),
        drafting=DraftCalibration(-0.5, 0.2, 1.0, 0.5),
    )
    write_tiny_checkpoint(tmp_path, generation=chosen)
    assert read_generation_config(tmp_path) == chosen


def test_config_says_how_it_is_quantised(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path, quantize_int8=True)
    raw = json.loads((tmp_path / "config.json").read_text())
    assert raw["quantization_config"]["quant_method"] == "infill_int8"
