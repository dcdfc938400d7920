"""Norms between a layer's products in Triton against their plain references in float32."""

import pytest
import torch
from infill_kernels import layer_norms
from infill_kernels import rms_norm as reference_norm
from infill_kernels.layer_norms_triton import branch_inputs, rms_norm
from infill_kernels.moe_combine import combine_branches
from torch import Tensor

FLOAT32, FLOAT16 = torch.float32, torch.float16
TOLERANCE = {FLOAT32: 1e-6, FLOAT16: 1e-3}  # of the norm; float16 rounds the sum and the result
EPS = 1e-6


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_near(got: Tensor, want: Tensor) -> None:
    assert not got.isnan().any(), "an element was not set"
    assert (got.float() - want).norm() <= TOLERANCE[got.dtype] * want.norm()


def weights(num: int, size: int, dtype: torch.dtype) -> list[Tensor]:
    return [(normal(size, seed=3 + i) + 1).to(dtype) for i in range(num)]


@pytest.mark.parametrize("num_rows", [1, 7, 63, 257])
@pytest.mark.parametrize("has_weight", [True, False])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_rms_norm(num_rows: int, has_weight: bool, dtype: torch.dtype) -> None:
    """Rows of a wider tensor, a size that is no power of two."""
    x = (normal(num_rows, 90) * 300).to(dtype)[:, 9:79]
    weight = weights(1, 70, dtype)[0] if has_weight else None
    got = rms_norm(x, weight, EPS)
    assert got.dtype == dtype
    assert_near(got, reference_norm(x.float(), None if weight is None else weight.float(), EPS))


@pytest.mark.parametrize("num_rows", [1, 7, 63, 257])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_branch_inputs(num_rows: int, dtype: torch.dtype) -> None:
    residual = (normal(num_rows, 90) * 5).to(dtype)[:, 9:79]
    attended = normal(num_rows, 70, seed=1).to(dtype)
    arguments = (residual, attended, *weights(4, 70, dtype))
    got = branch_inputs(*arguments, EPS)
    want = layer_norms.branch_inputs(*(x.float() for x in arguments), EPS)
    for one, other in zip(got, want, strict=True):
        assert one.dtype == dtype
        assert one.is_contiguous()
        assert_near(one, other)


@pytest.mark.parametrize("shape", [(7, 70), (7, 3, 70), (1, 70)])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_the_end_of_a_layer_takes_choices_and_their_sums(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    sparse = normal(*shape).to(dtype)
    dense, residual = (normal(shape[0], 70, seed=1 + i).to(dtype) for i in range(2))
    scalar = torch.tensor([0.3], dtype=dtype)
    arguments = (sparse, dense, residual, *weights(3, 70, dtype), scalar)
    got = combine_branches(*arguments, EPS)
    assert_near(got, layer_norms.finish_layer(*(x.float() for x in arguments), EPS))


def test_no_rows() -> None:
    none, ones = torch.zeros(0, 8), torch.ones(8)
    assert rms_norm(none, ones, EPS).shape == (0, 8)
    assert branch_inputs(none, none, ones, ones, ones, ones, EPS)[3].shape == (0, 8)
    assert combine_branches(none, none, none, ones, ones, ones, ones[:1], EPS).shape == (0, 8)


def test_unfitting_arguments_are_refused() -> None:
    x, ones = normal(3, 8), torch.ones(8)
    with pytest.raises(ValueError, match="contiguous along E"):
        rms_norm(normal(8, 3).T, ones, EPS)
    with pytest.raises(ValueError, match="attended"):
        branch_inputs(x, normal(3, 9), ones, ones, ones, ones, EPS)
    with pytest.raises(ValueError, match="all weights"):
        branch_inputs(x, x, ones, ones[:4], ones, ones, EPS)
