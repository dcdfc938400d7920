"""Products of int8 rows against exact ones, and against float ones within what rounding costs."""

import math
import os
import subprocess
import sys

import pytest
import torch
from infill_kernels import (
    Int8Rows,
    int8_linear,
    int8_mixture,
    multiplies_int8,
    quantize_rows,
    run_experts,
    run_int8_experts,
)
from torch import Tensor

SIZES = [1, 7, 63, 257]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def widened(rows: Int8Rows) -> Tensor:
    return rows.values.double() * rows.scale.double().unsqueeze(-1)


def assert_close(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got.double(), want.double(), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("size", SIZES)
def test_rounding_is_within_half_a_step_and_uses_the_whole_range(size: int) -> None:
    x = normal(5, size) * torch.tensor([[1e-6], [1.0], [1e6], [0.0], [3.0]])
    rows = quantize_rows(x)
    assert ((widened(rows) - x).abs() <= rows.scale.unsqueeze(-1) * 0.5001).all()
    assert rows.values[[0, 1, 2, 4]].abs().amax(dim=-1).tolist() == [127] * 4
    assert not widened(rows)[3].any(), "a row of zeros stays one"


@pytest.mark.parametrize("num_rows", SIZES)
@pytest.mark.parametrize("num_out", SIZES)
def test_a_linear_layer_is_exact_for_rounded_rows(num_rows: int, num_out: int) -> None:
    """Rounding is the only error: what is rounded already is multiplied exactly."""
    x, weight = normal(num_rows, 48), quantize_rows(normal(num_out, 48, seed=1))
    assert_close(int8_linear(x, weight), widened(quantize_rows(x)) @ widened(weight).T)


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    x, weight = normal(40, 64), quantize_rows(normal(33, 64, seed=1))
    x[7] *= 1e4
    together = int8_linear(x.view(2, 20, 64), weight).view(40, 33)
    alone = torch.cat([int8_linear(row.unsqueeze(0), weight) for row in x])
    assert torch.equal(together, alone)


def test_the_largest_sums_do_not_overflow() -> None:
    ones = torch.ones(2, 4096)
    assert int8_linear(ones, quantize_rows(torch.ones(3, 4096))).flatten().tolist() == (
        pytest.approx([4096.0] * 6, rel=1e-6)
    )


@pytest.mark.parametrize("num_rows", SIZES)
def test_a_mixture_is_the_mean_row(num_rows: int) -> None:
    table = quantize_rows(normal(300, 24, seed=1))
    sure = torch.zeros(num_rows, 300)
    sure[:, 17] = 1.0
    assert_close(int8_mixture(sure, table), widened(table)[17].expand(num_rows, -1))
    shares = (normal(num_rows, 300, seed=2) * 3).softmax(dim=-1)
    want = shares.double() @ widened(table)
    assert relative_error(int8_mixture(shares, table), want) < 0.03


def test_a_cpu_without_the_instructions_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx_vnni": False})
    assert not multiplies_int8()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_vnni": True})
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not multiplies_int8()


def test_the_product_is_exact_also_where_onednn_would_overflow() -> None:
    """Pairs of the largest products do not fit 16 bits, where older CPUs add them."""
    code = (
        "import torch; from infill_kernels.int8 import int8_matmul;"
        "x = torch.full((3, 1040), 127, dtype=torch.int8);"
        "print(int8_matmul(x, -x.t()).unique().tolist())"
    )
    for isa in ("AVX2", "DEFAULT"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str([-1040 * 127 * 127]), isa


def relative_error(got: Tensor, want: Tensor) -> float:
    return ((got - want).norm() / want.norm()).item()


def choices(num_rows: int, num_experts: int, num_chosen: int) -> tuple[Tensor, Tensor]:
    weights = normal(num_rows, num_chosen, seed=5).softmax(dim=-1)
    return weights, normal(num_rows, num_experts, seed=6).topk(num_chosen, dim=-1).indices


@pytest.mark.parametrize("num_rows", SIZES)
@pytest.mark.parametrize(("num_experts", "num_chosen"), [(1, 1), (4, 2), (16, 5)])
def test_experts_agree_with_float_ones(num_rows: int, num_experts: int, num_chosen: int) -> None:
    x = normal(num_rows, 64)
    gate_up = quantize_rows(normal(num_experts, 96, 64, seed=3) / 8)
    down = quantize_rows(normal(num_experts, 64, 48, seed=4) / 7)
    weights, expert_idx = choices(num_rows, num_experts, num_chosen)
    got = run_int8_experts(x, gate_up, down, weights, expert_idx)
    exact = (widened(gate_up), widened(down))
    want = run_experts(x.double(), *exact, weights.double(), expert_idx)
    assert relative_error(got, want) < 0.03
    assert torch.equal(got, run_int8_experts(x, gate_up, down, weights, expert_idx))


@pytest.mark.parametrize("num_rows", SIZES)
@pytest.mark.parametrize("chosen", [[0, 1], [7, 0], [3, 4]])
def test_experts_no_row_chose_are_not_touched(num_rows: int, chosen: list[int]) -> None:
    x = normal(num_rows, 64)
    gate_up = quantize_rows(normal(8, 96, 64, seed=3) / 8)
    down = quantize_rows(normal(8, 64, 48, seed=4) / 7)
    weights = choices(num_rows, 8, 2)[0]
    expert_idx = torch.tensor(chosen).expand(num_rows, 2)
    before = run_int8_experts(x, gate_up, down, weights, expert_idx)
    for experts in (gate_up, down):
        experts.scale[[e for e in range(8) if e not in chosen]] = math.nan
    assert torch.equal(run_int8_experts(x, gate_up, down, weights, expert_idx), before)
