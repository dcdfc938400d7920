"""Which numbers are computed in, by device, CPU and checkpoint; int8 is close to float32."""

from pathlib import Path

import pytest
import torch

from infill_engine import precision
from infill_engine.api import ConfigError
from infill_engine.checkpoint import load_model, stores_int8
from infill_engine.config import EngineConfig
from infill_engine.precision import Precision, choose_precision
from tests.model_outputs import hidden_states
from tests.tiny_checkpoint import write_tiny_checkpoint

CPU, GPU = torch.device("cpu"), torch.device("cuda")
INT8 = Precision(torch.float32, has_int8_weights=True)


@pytest.mark.parametrize(
    ("has_int8", "able", "is_stored_int8", "name"),
    [
        (True, {"avx512_bf16": True}, True, "int8"),
        (True, {}, True, "int8"),
        (True, {"avx512_bf16": True}, False, "bfloat16"),
        (False, {"amx_bf16": True, "avx512_bf16": False}, True, "bfloat16"),
        (False, {"avx512_f": True}, True, "float32"),
        (True, {}, False, "float32"),
    ],
)
def test_auto_takes_what_the_cpu_multiplies(
    monkeypatch: pytest.MonkeyPatch,
    has_int8: bool,
    able: dict[str, bool],
    is_stored_int8: bool,
    name: str,
) -> None:
    monkeypatch.setattr(precision, "multiplies_int8", lambda: has_int8)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert choose_precision("auto", CPU, is_stored_int8).name == name


def test_what_is_asked_for_is_taken() -> None:
    assert choose_precision("int8", CPU, is_stored_int8=False) == INT8
    assert choose_precision("float32", CPU, is_stored_int8=True).name == "float32"
    assert choose_precision("bfloat16", GPU, is_stored_int8=True).name == "bfloat16"
    assert choose_precision("auto", GPU, is_stored_int8=True) == Precision(torch.bfloat16)
    with pytest.raises(ConfigError, match="dtype is int8, which runs on a CPU only"):
        choose_precision("int8", GPU, is_stored_int8=True)


def test_the_embedded_model_is_stored_in_int8() -> None:
    assert stores_int8(EngineConfig().folder)
    assert EngineConfig(device="cpu", dtype="int8").precision() == INT8


@pytest.mark.parametrize("is_stored_int8", [True, False])
def test_int8_is_close_to_float32(tmp_path: Path, is_stored_int8: bool) -> None:
    write_tiny_checkpoint(tmp_path, quantize_int8=is_stored_int8)
    exact = load_model(tmp_path, CPU, torch.float32)
    rounded = load_model(tmp_path, CPU, torch.float32, has_int8_weights=True)
    kinds = {weight.dtype for weight in rounded.weights()}
    assert kinds == {torch.int8, torch.float32}
    assert rounded.layers[0].router.proj.weight.dtype == torch.float32
    num_parameters = [sum(w.numel() for w in model.weights()) for model in (exact, rounded)]
    assert num_parameters[0] == num_parameters[1]
    for got, want in zip(hidden_states(rounded), hidden_states(exact), strict=True):
        # Random weights amplify what rounding changes, and a router now and then chooses anew.
        assert (got - want).norm() < 0.3 * want.norm()
