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
        ({"max_batch": 0}, "max_batch is 0; allowed is 1 to 64"),
        ({"max_batch": 65}, "max_batch is 65; allowed is 1 to 64"),
        ({"max_batch": 8, "kv_slots": 7}, r"kv_slots is 7; allowed is 8 \(max_batch: every"),
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


def test_small_prompts_are_kept_in_numbers_and_large_ones_for_those_that_run() -> None:
    assert EngineConfig().chosen_kv_slots(1 << 20) == 32
    assert EngineConfig().chosen_kv_slots(1 << 30) == EngineConfig().chosen_max_batch() == 4
    assert EngineConfig(kv_slots=100).chosen_kv_slots(1 << 30) == 100
