"""Engine settings: what is refused, and what "auto" means without a GPU."""

import os

import pytest
import torch

from infill_engine.api import ConfigError
from infill_engine.config import EngineConfig


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"device": "tpu"}, "device is 'tpu'; allowed are auto, cpu, cuda, cuda:N"),
        ({"dtype": "int2"}, "dtype is 'int2'; allowed are auto, float32, bfloat16, int8"),
        ({"num_threads": 0}, "num_threads is 0; it must be at least 1"),
        ({"kv_cache": "int4"}, "kv_cache is 'int4'; allowed are auto, fp8"),
        ({"max_context_tokens": 10}, "max_context_tokens is 10; it must be at least 64"),
    ],
)
def test_wrong_settings_are_named(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EngineConfig(**setting)  # pyright: ignore[reportArgumentType]


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert EngineConfig().torch_device() == torch.device("cpu")
    with pytest.raises(ConfigError, match="sees no GPU"):
        EngineConfig(device="cuda").torch_device()


@pytest.mark.parametrize(("num_cpus", "expected"), [(None, 1), (1, 1), (2, 1), (8, 4), (64, 4)])
def test_threads(monkeypatch: pytest.MonkeyPatch, num_cpus: int | None, expected: int) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: num_cpus)
    assert EngineConfig().chosen_num_threads() == expected
    assert EngineConfig(num_threads=3).chosen_num_threads() == 3
