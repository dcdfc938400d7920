"""The timed operations are the real ones: experts agree across formats, and a step runs."""

import torch

from benchmarks.cpu_kernels import medians_ms, moe_runs, step_runs
from tests.tiny_checkpoint import tiny_config, tiny_model


def test_formats_compute_the_same() -> None:
    runs = moe_runs(tiny_config(), num_rows=7)
    for part in ("experts", "dense"):
        exact = runs[f"{part} float32"]()
        assert isinstance(exact, torch.Tensor)
        for name in ("bfloat16", "int8"):
            got = runs[f"{part} {name}"]()
            assert isinstance(got, torch.Tensor)
            assert (got - exact).norm() < 0.05 * exact.norm()


def test_every_part_of_a_step_is_timed() -> None:
    found = medians_ms(step_runs(tiny_model(), 16), num_repeats=2)
    assert set(found) == {"step", "decoder", "head", "self-conditioning"}
    assert all(value > 0 for value in found.values())
