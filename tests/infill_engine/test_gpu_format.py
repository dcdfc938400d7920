"""What a GPU computes in: from a setting, a folder and free memory to a running engine."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from infill_engine.api import ConfigError, InfillRequest, OutOfMemory
from infill_engine.checkpoint import load_model, stored_bytes
from infill_engine.config import EngineConfig
from infill_engine.engine import Engine
from infill_engine.format_choice import CheckpointFacts, choose_format
from infill_engine.gpu_format import GpuFormat, choose_gpu_format
from infill_engine.model.packed_layers import packed_matrices
from infill_engine.model.quantization import WeightFormat
from infill_engine.precision import Precision
from tests.model_outputs import CPU
from tests.quantized_checkpoint import packable_config, write_quantized_checkpoint
from tests.tiny_checkpoint import write_tiny_checkpoint

GPU = torch.device("cuda")
GB = 1_000_000_000
CONTEXT = 256


def choose(
    folder: Path, asked: str, free_bytes: int = 80 * GB, has_kernels: bool = True
) -> GpuFormat:
    return choose_gpu_format(asked, GPU, folder, CONTEXT, free_bytes, has_kernels)


def bytes_for(name: str) -> int:
    """Free memory that is just enough for a format of the tiny model."""
    facts = CheckpointFacts(packable_config())
    choice = choose_format(80 * GB, facts, CONTEXT)
    while choice.name != name:
        choice = choose_format(choice.num_bytes - 1, facts, CONTEXT)
    return choice.num_bytes


@pytest.fixture
def floats(tmp_path: Path) -> Path:
    write_tiny_checkpoint(tmp_path, packable_config())
    return tmp_path


@pytest.mark.parametrize("name", ["bfloat16", "fp8", "int4"])
def test_auto_takes_the_most_precise_that_fits(floats: Path, name: str) -> None:
    chosen = choose(floats, "auto", bytes_for(name))
    assert chosen.precision.name == chosen.name == name
    assert chosen.precision.dtype == torch.bfloat16
    assert chosen.precision.reason.startswith(f"{name} is the most precise that fits: ")
    model = load_model(floats, CPU, torch.float32, packing=chosen.precision.packing)
    assert bool(packed_matrices(model)) == (name != "bfloat16")


def test_nothing_fits(floats: Path) -> None:
    with pytest.raises(OutOfMemory, match=r"in int4; .* Three ways out: "):
        choose(floats, "auto", bytes_for("int4") - 1)


@pytest.mark.parametrize("asked", ["bfloat16", "fp8", "int4"])
def test_what_is_asked_for_is_taken(floats: Path, asked: str) -> None:
    chosen = choose(floats, asked)
    assert chosen.precision.name == asked
    assert chosen.precision.reason.startswith(f"{asked}, as dtype is {asked}: ")
    with pytest.raises(OutOfMemory, match=f"in {asked}; "):
        choose(floats, asked, bytes_for(asked) - 1)


@pytest.mark.parametrize(
    ("release", "packing"),
    [("fp8", "fp8"), ("int4", "int4"), ("awq", "int4"), ("nvfp4 modelopt", "nvfp4")],
)
def test_a_quantised_checkpoint_stays_as_it_is(tmp_path: Path, release: str, packing: str) -> None:
    write_quantized_checkpoint(tmp_path, release, config=packable_config())
    chosen = choose(tmp_path, "auto")
    assert chosen.precision.packing == chosen.precision.name == packing
    assert ", as it is stored: " in chosen.precision.reason
    assert chosen.facts.stored_bytes == stored_bytes(tmp_path) > 100_000
    assert choose(tmp_path, "bfloat16").precision == Precision(torch.bfloat16)
    other = "int4" if packing == "fp8" else "fp8"
    with pytest.raises(ConfigError, match="rounding twice loses more"):
        choose(tmp_path, other)


def test_without_kernels_a_quantised_checkpoint_is_widened_if_it_fits(tmp_path: Path) -> None:
    write_quantized_checkpoint(tmp_path, "int4", config=packable_config())
    assert choose(tmp_path, "auto", has_kernels=False).precision.name == "bfloat16"
    little = bytes_for("bfloat16") - 1
    assert choose(tmp_path, "auto", little, has_kernels=False).precision.name == "int4"


def test_int8_is_widened_on_a_gpu(tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path, quantize_int8=True)
    chosen = choose(tmp_path, "auto")
    assert chosen.precision == Precision(torch.bfloat16)
    assert "as kernels know no int8" in chosen.precision.reason


def test_formats_of_the_other_device_are_refused(floats: Path) -> None:
    with pytest.raises(ConfigError, match="dtype is int8, which runs on a CPU only"):
        choose(floats, "int8")
    for dtype in ("fp8", "int4"):
        with pytest.raises(ConfigError, match=f"dtype is {dtype}, which runs on a GPU only"):
            EngineConfig(model=str(floats), device="cpu", dtype=dtype).precision()


# From the configuration to a running engine, on a CPU that is taken for a GPU.


@pytest.fixture
def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make configurations choose as on a GPU with so much free memory; the model stays here."""

    def pretend(free_bytes: int) -> None:
        def gpu_format(config: EngineConfig) -> GpuFormat:
            return choose_gpu_format(
                config.dtype, GPU, config.folder, CONTEXT, free_bytes, has_kernels=True
            )

        monkeypatch.setattr(EngineConfig, "gpu_format", gpu_format)
        monkeypatch.setattr("infill_engine.model_loading.available_bytes", lambda _: free_bytes)

    return pretend


def test_an_engine_says_what_was_chosen(
    floats: Path, pretend_gpu: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    pretend_gpu(bytes_for("int4"))
    with caplog.at_level("INFO"):
        engine = Engine.load(EngineConfig(model=str(floats), device="cpu"))
    described = engine.describe()
    assert described["dtype"] == "int4"
    assert described["format_reason"].startswith("int4 is the most precise that fits: ")
    assert described["format_reason"] in caplog.text
    widened = load_model(floats, CPU, torch.bfloat16)
    assert described["num_parameters"] == sum(w.numel() for w in widened.weights())
    assert described["num_weight_bytes"] < 2 * described["num_parameters"]
    request = InfillRequest(prefix="def total(", suffix=")\n", max_new_tokens=4)
    assert isinstance(engine.infill(request).text, str)


def test_running_out_of_memory_is_one_sentence(
    floats: Path, pretend_gpu: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_gpu(bytes_for("bfloat16"))
    engine = Engine.load(EngineConfig(model=str(floats), device="cpu"))

    def fail(*_: object) -> Iterator[None]:
        raise torch.OutOfMemoryError
        yield

    monkeypatch.setattr(Engine, "_fill", fail)
    with pytest.raises(OutOfMemory) as caught:
        engine.infill(InfillRequest(prefix="a", suffix="b"))
    message = str(caught.value)
    assert message.count("Three ways out: ") == 1 and "\n" not in message
    assert "lower max_context_tokens to 128;" in message


def test_a_quantised_checkpoint_needs_what_it_stores() -> None:
    nvfp4 = CheckpointFacts(packable_config(), WeightFormat("nvfp4", 4, 16), 18 * GB)
    assert choose_format(24 * GB, nvfp4, CONTEXT).num_bytes > 18 * GB
