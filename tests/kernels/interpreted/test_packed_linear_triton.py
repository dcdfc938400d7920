"""Products with packed weights, in every format, against the plain reference in float32."""

import pytest
import torch
from infill_kernels import moe_weights, packed_linear, packed_linear_triton, packed_moe
from infill_kernels.moe_fused import run_packed_experts
from infill_kernels.moe_weights import ExpertMatrices
from infill_kernels.published_weights import join_int4_zeros, join_nvfp4
from torch import Tensor

FLOAT32, FLOAT16 = torch.float32, torch.float16
TOLERANCE = {FLOAT32: 2e-6, FLOAT16: 2e-3}  # of the norm; one rounding a product in float16
KINDS = ["fp8", "fp8/64", "int4/64", "int4/32", "int4/128", "int4/row", "zeros/64", "zeros/32"]
KINDS += ["nvfp4"]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def integers(*shape: int, below: int, seed: int = 0) -> Tensor:
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(seed))


def pack(num_matrices: int, rows: int, columns: int, kind: str, seed: int = 3) -> ExpertMatrices:
    """Random matrices whose rows have a norm of about 1."""
    name, _, group_text = kind.partition("/")
    weight = normal(num_matrices, rows, columns, seed=seed) / columns**0.5
    group = int(group_text) if group_text.isdigit() else None
    if name == "fp8":
        return moe_weights.pack_float8(weight, group)
    codes = integers(num_matrices, rows, columns, below=16, seed=seed)
    scales = normal(num_matrices, rows, columns // (group or columns), seed=seed).abs() + 0.1
    scales = scales / (5 * columns**0.5)
    if name == "zeros":
        zeros = integers(*scales.shape, below=17, seed=seed + 1)
        return join_int4_zeros(codes, zeros, scales, group or columns)
    if name == "nvfp4":
        stored = normal(num_matrices, rows, columns // 16, seed=seed).abs() * 100
        overall = (normal(num_matrices, rows, seed=seed).abs() + 0.1) / (200 * columns**0.5)
        return join_nvfp4(codes, stored.to(torch.float8_e4m3fn), overall)
    if group is None:
        return moe_weights.join_int4((codes - 8).to(torch.int8), scales, None)
    return moe_weights.pack_int4(weight, group)


def assert_near(got: Tensor, want: Tensor, tolerance: float) -> None:
    assert not got.isnan().any(), "an element was not set"
    assert (got.float() - want).norm() <= tolerance * want.norm() + 1e-12


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
@pytest.mark.parametrize("kind", KINDS)
def test_formats(kind: str, dtype: torch.dtype) -> None:
    weights = pack(1, 40, 128, kind)
    x = normal(7, 128).to(dtype)
    got = packed_linear_triton.packed_linear(x, weights)
    assert got.dtype == dtype
    assert_near(got, packed_linear.packed_linear(x.float(), weights), TOLERANCE[dtype])


@pytest.mark.parametrize("num_rows", [1, 17, 63, 257])
def test_odd_numbers_of_rows(num_rows: int) -> None:
    """Each takes another entry of the table; weights' rows are no multiple of a block."""
    weights = pack(1, 71, 64, "int4/32")
    x = normal(num_rows, 64)
    got = packed_linear_triton.packed_linear(x, weights)
    assert_near(got, packed_linear.packed_linear(x, weights), TOLERANCE[FLOAT32])
    assert torch.equal(got, packed_linear_triton.packed_linear(x, weights))


@pytest.mark.parametrize("kind", ["fp8", "int4/32", "nvfp4"])
@pytest.mark.parametrize("num_rows", [1, 65])
def test_mlp(kind: str, num_rows: int) -> None:
    gate_up, down = pack(1, 2 * 64, 128, kind), pack(1, 128, 64, kind, seed=4)
    x = normal(num_rows, 192)[:, 32:160]
    got = packed_linear_triton.packed_mlp(x, gate_up, down)
    assert_near(got, packed_linear.packed_mlp(x, gate_up, down), TOLERANCE[FLOAT32])


@pytest.mark.parametrize("kind", ["zeros/32", "zeros/64", "nvfp4", "int4/32"])
def test_experts(kind: str) -> None:
    """Scales of the second expert on lie where the kernels look for them; 192 is 3 tiles of 64."""
    gate_up, down = pack(3, 2 * 192, 64, kind), pack(3, 64, 192, kind, seed=4)
    x, weights = normal(7, 64), normal(7, 2, seed=5).softmax(dim=-1)
    expert_idx = torch.stack([torch.tensor([2, 1])] * 6 + [torch.tensor([0, 1])])
    got = run_packed_experts(x, gate_up, down, weights, expert_idx)
    want = packed_moe.run_packed_choices(x, gate_up, down, weights, expert_idx).sum(dim=1)
    assert_near(got, want, TOLERANCE[FLOAT32])


def test_columns_that_are_no_rows_of_memory() -> None:
    weights, x = pack(1, 8, 64, "fp8"), normal(64, 5).t()
    got = packed_linear_triton.packed_linear(x, weights)
    assert_near(got, packed_linear.packed_linear(x, weights), TOLERANCE[FLOAT32])


def test_no_rows() -> None:
    weights = pack(1, 64, 64, "fp8")
    none = torch.zeros(0, 64)
    assert packed_linear_triton.packed_linear(none, weights).shape == (0, 64)
    gate_up = pack(1, 128, 64, "fp8")
    assert packed_linear_triton.packed_mlp(none, gate_up, weights).shape == (0, 64)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="must be sorted into blocks"):
        packed_linear_triton.packed_linear(normal(3, 64), pack(2, 8, 64, "fp8"))
    with pytest.raises(ValueError, match="does not fit 32 columns"):
        packed_linear_triton.packed_linear(normal(3, 32), pack(1, 8, 32, "nvfp4"))
