"""The most precise format that fits is taken; when none does, there are three ways out."""

import math
import subprocess
import sys

import pytest
import torch

from infill_engine.api import OutOfMemory
from infill_engine.checkpoint.layout import decoder_tensors
from infill_engine.format_choice import (
    CheckpointFacts,
    choose_format,
    out_of_memory_sentence,
    weight_bytes,
)
from infill_engine.kv_cache import KVCache
from infill_engine.model.config import ModelConfig
from infill_engine.model.quantization import WeightFormat
from infill_engine.model.sizes import cache_elements_per_token, model_sizes
from tests.tiny_checkpoint import tiny_config

GB = 1_000_000_000
LARGE = CheckpointFacts(ModelConfig())


@pytest.mark.parametrize("config", [ModelConfig(), tiny_config()], ids=["26B", "tiny"])
def test_sizes_are_those_of_the_tensors(config: ModelConfig) -> None:
    shapes = {
        name: shape for name, shape in decoder_tensors(config).items() if "layer_scalar" not in name
    }
    sizes = model_sizes(config)
    in_layers = {
        name: shape
        for name, shape in shapes.items()
        if len(shape) > 1 and ".layers." in name and ".router." not in name
    }
    assert sizes.layers.num_parameters == sum(map(math.prod, in_layers.values()))
    assert sizes.layers.num_rows == sum(math.prod(shape[:-1]) for shape in in_layers.values())
    total = sum(map(math.prod, shapes.values())) + config.num_layers
    assert sizes.num_parameters == total


def test_cache_is_as_large_as_it_is() -> None:
    config = tiny_config()
    cache = KVCache(config, torch.bfloat16, torch.device("cpu"))
    assert cache.num_bytes == 2 * 256 * cache_elements_per_token(config)
    assert 2 * cache_elements_per_token(ModelConfig()) == 225_280


def test_the_real_model_in_every_format() -> None:
    sizes = {name: weight_bytes(ModelConfig(), name) / GB for name in ("bfloat16", "fp8", "int4")}
    assert sizes == pytest.approx({"bfloat16": 50.5, "fp8": 26.2, "int4": 15.3}, abs=0.15)


@pytest.mark.parametrize(
    ("free_gb", "context_tokens", "name"),
    [
        (80, 4096, "bfloat16"),
        (54, 4096, "bfloat16"),
        (52, 4096, "fp8"),
        (32, 4096, "fp8"),
        (24, 4096, "int4"),
        (18, 4096, "int4"),
        (32, 32_768, "int4"),  # 7.4 GB of keys and values
    ],
)
def test_the_most_precise_that_fits(free_gb: int, context_tokens: int, name: str) -> None:
    choice = choose_format(free_gb * GB, LARGE, context_tokens)
    assert choice.name == name
    assert choice.num_bytes <= free_gb * GB
    assert choice.reason.startswith(f"{name} is the most precise that fits: ")
    assert choice.reason.endswith(".") and choice.reason.count(". ") == 0


def test_the_reason_names_the_sizes() -> None:
    assert choose_format(18 * GB, LARGE, 4096).reason == (
        "int4 is the most precise that fits: 17.6 GB (15.3 GB of weights, 1.0 GB for 4096 tokens "
        "of context, 1.3 GB to work in), of 18.0 GB free; fp8 would need 28.4 GB."
    )


def test_a_quantised_checkpoint_is_taken_as_it_is() -> None:
    nvfp4 = CheckpointFacts(ModelConfig(), WeightFormat("nvfp4", 4, 16), 18 * GB)
    assert choose_format(24 * GB, nvfp4, 4096).name == "nvfp4 in groups of 16"
    with pytest.raises(OutOfMemory, match="choose a smaller model"):
        choose_format(18 * GB, nvfp4, 4096)


def test_no_format_fits() -> None:
    with pytest.raises(OutOfMemory) as caught:
        choose_format(12 * GB, LARGE, 4096)
    assert str(caught.value) == (
        "The model needs 17.6 GB (15.3 GB of weights, 1.0 GB for 4096 tokens of context, 1.3 GB to "
        "work in), in int4; 12.0 GB are free. Three ways out: choose a smaller model (`infill-ls "
        "model use embedded`); end what else uses the GPU's memory (5.6 GB more are needed); or "
        "set device to cpu, which is much slower."
    )


def test_less_context_is_offered_where_it_helps() -> None:
    with pytest.raises(OutOfMemory) as caught:
        choose_format(17 * GB, LARGE, 4096)
    message = str(caught.value)
    offered = int(message.split("lower max_context_tokens to ")[1].split(";")[0])
    assert choose_format(17 * GB, LARGE, offered).name == "int4"
    with pytest.raises(OutOfMemory):
        choose_format(17 * GB, LARGE, offered + 1)


def test_a_smaller_format_is_offered_where_it_fits() -> None:
    message = out_of_memory_sentence(24 * GB, LARGE, 4096, "bfloat16")
    assert "`infill-ls model quantize SOURCE DEST --to int4` (17.6 GB)" in message
    message = out_of_memory_sentence(40 * GB, LARGE, 4096, "bfloat16")
    assert "--to fp8` (28.4 GB)" in message


def test_choosing_loads_no_torch() -> None:
    code = "import sys, infill_engine.format_choice; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
