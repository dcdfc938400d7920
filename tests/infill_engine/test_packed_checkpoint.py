"""Checkpoints whose matrices stay packed say the same as widened ones; here on the references."""

import logging
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from infill_kernels.moe_weights import WeightFormat as KernelFormat
from infill_kernels.moe_weights import unpack

from infill_engine.api import CheckpointError
from infill_engine.checkpoint import load_model
from infill_engine.checkpoint.conversion import quantize_checkpoint
from infill_engine.checkpoint.layout import decoder_tensors, parameter_name
from infill_engine.checkpoint.packing import Rounding, form_of, forms_of_floats
from infill_engine.format_choice import weight_bytes
from infill_engine.model.config import ModelConfig
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.model.packed_layers import (
    PackedExperts,
    PackedLinear,
    PackedMLP,
    packed_matrices,
    use_packed_layers,
)
from infill_engine.model.quantization import WeightFormat
from tests.checkpoint_edits import edit_tensors
from tests.model_outputs import CPU, hidden_states
from tests.quantized_checkpoint import RELEASES, packable_config, write_quantized_checkpoint
from tests.tiny_checkpoint import write_tiny_checkpoint

FORMS = {
    "fp8": KernelFormat.FLOAT8,
    "int4": KernelFormat.INT4,
    "int4 zeros": KernelFormat.INT4_ZEROS,
    "awq": KernelFormat.INT4_ZEROS,
    "nvfp4": KernelFormat.NVFP4,
    "nvfp4 modelopt": KernelFormat.NVFP4,
}
# AWQ's float16 scales lose three of their bits, which random weights amplify: a router now and then
# chooses anew. Everything else is kept.
TOLERANCE = {"awq": 0.3}


def assert_same_words(got: DiffusionGemma, want: DiffusionGemma, tolerance: float) -> None:
    for one, other in zip(hidden_states(got), hidden_states(want), strict=True):
        assert (one - other).norm() <= tolerance * other.norm()


@pytest.mark.parametrize("release", FORMS)
def test_published_formats_stay_packed(tmp_path: Path, release: str) -> None:
    write_quantized_checkpoint(tmp_path, release, config=packable_config())
    packed = load_model(tmp_path, CPU, torch.float32, packing="fp8")
    layer: Any = packed.layers[0]
    assert isinstance(layer.self_attn.q_proj, PackedLinear)
    assert isinstance(layer.mlp, PackedMLP) and isinstance(layer.experts, PackedExperts)
    assert {m.form.format for m in packed_matrices(packed)} == {FORMS[release]}
    assert type(layer.router.proj).__name__ == "_Linear"
    widened = load_model(tmp_path, CPU, torch.float32)
    got = unpack(layer.experts.gate_up_proj.matrices)
    want = widened.get_parameter("layers.0.experts.gate_up_proj").detach()
    torch.testing.assert_close(got, want, rtol=2**-8 if release == "awq" else 1e-6, atol=0.0)
    assert_same_words(packed, widened, TOLERANCE.get(release, 1e-5))


@pytest.mark.parametrize("release", ["int8", "packed int8", "int4 reordered"])
def test_other_formats_are_widened(
    tmp_path: Path, release: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_quantized_checkpoint(tmp_path, release, config=packable_config())
    with caplog.at_level(logging.INFO):
        packed = load_model(tmp_path, CPU, torch.float32, packing="int4")
    assert not packed_matrices(packed)
    assert "matrices in" in caplog.text and "are widened to floats" in caplog.text
    assert_same_words(packed, load_model(tmp_path, CPU, torch.float32), 0.0)


def test_every_release_is_either(tmp_path: Path) -> None:
    assert {*FORMS, "int8", "packed int8", "int4 reordered"} == set(RELEASES)


def test_float_experts_beside_packed_layers(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "int4", are_experts_stacked=True, config=packable_config())
    packed = load_model(tmp_path, CPU, torch.float32, packing="int4")
    assert type(packed.layers[0].experts).__name__ == "Experts"
    assert isinstance(packed.layers[0].mlp, PackedMLP)
    assert_same_words(packed, load_model(tmp_path, CPU, torch.float32), 1e-5)


@pytest.mark.parametrize("rounding", get_args(Rounding))
def test_rounding_on_the_way_is_quantising_before(tmp_path: Path, rounding: Rounding) -> None:
    write_tiny_checkpoint(tmp_path / "floats", packable_config())
    quantize_checkpoint(tmp_path / "floats", tmp_path / "small", rounding)
    at_once = load_model(tmp_path / "floats", CPU, torch.float32, packing=rounding)
    before = load_model(tmp_path / "small", CPU, torch.float32, packing=rounding)
    assert at_once.state_dict().keys() == before.state_dict().keys()
    for name, tensor in at_once.state_dict().items():
        assert torch.equal(tensor, before.state_dict()[name]), name
    assert_same_words(at_once, load_model(tmp_path / "small", CPU, torch.float32), 1e-5)


def test_numbers_that_cannot_be_rounded_are_named(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"down_proj.weight has 48 columns, too few or too uneven"
    ):
        load_model(tmp_path, CPU, torch.float32, packing="int4")
    write_tiny_checkpoint(tmp_path / "nan", packable_config())
    name = "model.decoder.layers.1.experts.down_proj"
    edit_tensors(tmp_path / "nan", lambda tensors: tensors[name][2, 5].fill_(torch.nan))
    with pytest.raises(
        CheckpointError, match=r"experts.down_proj holds numbers that are not finite"
    ):
        load_model(tmp_path / "nan", CPU, torch.float32, packing="fp8")


def test_experts_give_their_choices(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path, packable_config())
    experts = load_model(tmp_path, CPU, torch.float32, packing="int4").layers[0].experts
    assert isinstance(experts, PackedExperts)
    x, weights = torch.randn(5, 64), torch.rand(5, 2)
    expert_idx = torch.tensor([[0, 3]] * 4 + [[4, 4]])  # of the last row's there are none
    choices = experts.choices(x, weights, expert_idx)
    assert choices.shape == (5, 2, 64) and not choices[4].any()
    assert torch.equal(experts(x, weights, expert_idx), choices.sum(dim=1))


@pytest.mark.parametrize(
    ("how", "columns", "name", "group"),
    [
        (WeightFormat("packed_int", 4, 128), 2816, "INT4", 128),
        (WeightFormat("packed_int", 4), 2816, "INT4", None),
        (WeightFormat("awq", 4, None, is_symmetric=False), 704, "INT4_ZEROS", 64),
        (WeightFormat("awq", 4, 128, is_symmetric=False), 2816, "INT4_ZEROS", 128),
        (WeightFormat("nvfp4", 4, 16), 704, "NVFP4", 16),
    ],
)
def test_forms(how: WeightFormat, columns: int, name: str, group: int | None) -> None:
    assert form_of(how, columns) == (KernelFormat[name], group)
    assert form_of(how, 8) is None, "too few columns for a tile"


GB = 1_000_000_000


@pytest.mark.parametrize("rounding", get_args(Rounding))
def test_the_real_model_takes_what_was_computed(rounding: Rounding) -> None:
    config = ModelConfig()
    forms = forms_of_floats(decoder_tensors(config), rounding)
    with torch.device("meta"):
        model = DiffusionGemma(config)
        use_packed_layers(model, {parameter_name(name): form for name, form in forms.items()})
    packed = packed_matrices(model)
    small = sum(matrices.matrices.num_bytes for matrices in packed)
    rest = sum(2 * weight.numel() for weight in model.parameters())
    computed = weight_bytes(config, rounding)
    # fp8 is computed with two bytes a scale, as it is stored; the kernels read four.
    assert (small + rest) / GB == pytest.approx(computed / GB, abs=0.04)
    names = [name for name, _ in model.named_parameters()]
    assert not any("q_proj" in name or "experts" in name for name in names)
    assert any("router.proj" in name for name in names)
    if rounding == "int4":
        cache = 225_280 * (4096 + 512)
        to_work_in = 16 * config.canvas_length * config.vocab_size
        assert small + rest + cache + to_work_in < 18 * GB
