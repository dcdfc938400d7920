"""What config.json says of quantisation is understood as published, or refused by name."""

import copy
from typing import Any

import pytest

from infill_engine.api import CheckpointError
from infill_engine.model.quantization import WeightFormat, read_weight_format
from tests.quantized_checkpoint import RELEASES


@pytest.mark.parametrize(
    ("release", "want"),
    [
        ("fp8", WeightFormat("fp8")),
        ("int8", WeightFormat("int8")),
        ("int4", WeightFormat("packed_int", 4, 32)),
        ("int4 zeros", WeightFormat("packed_int", 4, 32, is_symmetric=False)),
        ("packed int8", WeightFormat("packed_int", 8, None)),
        ("awq", WeightFormat("awq", 4, 32, is_symmetric=False)),
        ("nvfp4", WeightFormat("nvfp4", 4, 16)),
        ("nvfp4 modelopt", WeightFormat("nvfp4_modelopt", 4, 16)),
    ],
)
def test_releases(release: str, want: WeightFormat) -> None:
    assert read_weight_format({"quantization_config": RELEASES[release][1]}) == want


def test_none_and_our_own() -> None:
    assert read_weight_format({}) is None
    assert read_weight_format({"quantization_config": None}) is None
    ours = {"quant_method": "infill_int8", "bits": 8, "scale_per": "output row"}
    assert read_weight_format({"quantization_config": ours}) == WeightFormat("int8")


def message_of(raw: object) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_weight_format({"quantization_config": raw})
    message = str(caught.value)
    assert "What can be loaded" in message and "Use the original release" in message
    return message


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("fp8", "quantization_config is 'fp8'"),
        ({}, "quantised by None"),
        ({"quant_method": "gptq"}, "quantised by 'gptq'"),
        ({"quant_method": "awq", "bits": 8, "zero_point": True}, "bits is 8; only 4"),
        ({"quant_method": "awq", "bits": 4, "zero_point": False}, "zero_point is False"),
        (
            {"quant_method": "awq", "bits": 4, "zero_point": True, "version": "gemv"},
            "version is 'gemv'",
        ),
        (
            {"quant_method": "awq", "bits": 4, "zero_point": True, "group_size": 0},
            "group_size is 0",
        ),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "quant_algo is 'FP8'"),
        (
            {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 32},
            "group_size is 32; only 16",
        ),
        (
            {"quant_method": "modelopt", "quant_algo": "NVFP4", "quantized_layers": {"a": 1}},
            "has 'quantized_layers', which is not known",
        ),
    ],
)
def test_other_methods_and_versions(raw: object, expected: str) -> None:
    assert expected in message_of(raw)


@pytest.mark.parametrize(
    ("release", "where", "change", "expected"),
    [
        ("fp8", "top", {"format": "marlin-24"}, ""),
        ("fp8", "top", {"transform_config": {"config_groups": {"R1": 1}}}, "transform_config"),
        ("fp8", "top", {"sparsity_config": {"format": "sparse-24-bitmask"}}, "sparsity_config"),
        ("fp8", "top", {"quantization_status": "frozen"}, "quantization_status is 'frozen'"),
        ("fp8", "top", {"config_groups": {}}, "config_groups has 0 entries"),
        ("fp8", "top", {"config_groups": {"a": {}, "b": {}}}, "config_groups has 2 entries"),
        ("fp8", "top", {"config_groups": {"FP8": ["Linear"]}}, "an object is needed"),
        ("fp8", "top", {"new_option": 1}, "has 'new_option', which is not known"),
        ("fp8", "group", {"format": "marlin-24"}, "format is 'marlin-24'"),
        ("fp8", "group", {"weights": None}, "config_groups names no weights"),
        ("fp8", "group", {"output_activations": {"num_bits": 8}}, "output_activations is set"),
        ("fp8", "weights", {"strategy": "block"}, "strategy is 'block'; only 'channel'"),
        ("fp8", "weights", {"block_structure": [128, 128]}, "has 'block_structure'"),
        ("fp8", "weights", {"symmetric": False}, "symmetric is False"),
        ("fp8", "weights", {"num_bits": 4}, "num_bits is 4; only 8"),
        ("fp8", "weights", {"type": "bits"}, "weights.type is 'bits'"),
        ("fp8", "weights", {"dynamic": True}, "weights.dynamic is True"),
        ("int4", "weights", {"num_bits": 3}, "weights.num_bits is 3"),
        ("int4", "weights", {"strategy": "tensor"}, "weights.strategy is 'tensor'"),
        ("int4", "weights", {"group_size": None}, "without a group_size"),
        ("int4", "weights", {"group_size": True}, "group_size is True"),
        ("int4", "weights", {"type": "float"}, "type is 'float'; only 'int'"),
        ("int4", "weights", {"symmetric": "yes"}, "symmetric is 'yes'"),
        ("nvfp4", "weights", {"group_size": 32}, "group_size is 32; only 16"),
    ],
)
def test_other_options(release: str, where: str, change: dict[str, Any], expected: str) -> None:
    raw = copy.deepcopy(RELEASES[release][1])
    group = raw["config_groups"]["group_0"]
    {"top": raw, "group": group, "weights": group["weights"]}[where].update(change)
    if not expected:  # a group's own format comes first
        assert read_weight_format({"quantization_config": raw}) is not None
        return
    assert expected in message_of(raw)
