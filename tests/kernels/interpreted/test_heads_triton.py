"""Norms and rotation of heads in Triton against their plain reference in float32."""

import pytest
import torch
from infill_kernels import heads, rotary_frequencies
from infill_kernels.heads_triton import prepare_heads
from torch import Tensor

FLOAT32, FLOAT16 = torch.float32, torch.float16
TOLERANCE = {FLOAT32: 1e-6, FLOAT16: 1e-3}  # of the norm; rounded once in float16
EPS = 1e-6


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def angles(batch: int, num_tokens: int, head_dim: int) -> tuple[Tensor, Tensor]:
    positions = 30 * torch.arange(batch)[:, None] + torch.arange(num_tokens)
    turned = positions[..., None] * rotary_frequencies(head_dim, 100.0, 1.0, False)
    return turned.cos().unsqueeze(2), turned.sin().unsqueeze(2)


def check(query: Tensor, key: Tensor, value: Tensor, cos: Tensor, sin: Tensor) -> None:
    head_dim, dtype = query.shape[-1], query.dtype
    query_weight = (normal(head_dim, seed=3) + 1).to(dtype)
    key_weight = (normal(head_dim, seed=4) + 1).to(dtype)
    arguments = (query, key, value, query_weight, key_weight, cos.to(dtype), sin.to(dtype))
    got = prepare_heads(*arguments, EPS)
    want = heads.prepare_heads(*(x.float() for x in arguments), EPS)
    for one, other in zip(got, want, strict=True):
        assert one.dtype == dtype
        assert one.is_contiguous()
        assert not one.isnan().any(), "an element was not set"
        assert (one.float() - other).norm() <= TOLERANCE[dtype] * other.norm()


@pytest.mark.parametrize("num_tokens", [1, 7, 63, 257])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_odd_numbers_of_tokens(num_tokens: int, dtype: torch.dtype) -> None:
    query, key, value = (normal(1, num_tokens, n, 16, seed=n).to(dtype) * 3 for n in (4, 2, 2))
    check(query, key, value, *angles(1, num_tokens, 16))


@pytest.mark.parametrize("angle_batch", [1, 3])
def test_batches_of_slices_of_one_projection(angle_batch: int) -> None:
    both = normal(3, 5, 3 * 16 + 2 * 16 + 7)
    query, key = both[..., :48].unflatten(-1, (3, 16)), both[..., 48:64].unflatten(-1, (1, 16))
    value = both[..., 67:83].unflatten(-1, (1, 16))
    check(query, key, value, *angles(angle_batch, 5, 16))


@pytest.mark.parametrize("head_dim", [2, 256, 512])
def test_values_that_are_the_keys(head_dim: int) -> None:
    key = normal(1, 3, 1, head_dim, seed=1)
    check(normal(1, 3, 2, head_dim), key, key, *angles(1, 3, head_dim))


def test_zeros_and_no_tokens() -> None:
    zeros = torch.zeros(1, 3, 2, 16)
    check(zeros, zeros, zeros, *angles(1, 3, 16))
    none, ones = torch.zeros(1, 0, 2, 16), torch.ones(16)
    assert prepare_heads(none, none, none, ones, ones, *angles(1, 0, 16), EPS)[0].shape[1] == 0


def test_unfitting_arguments_are_refused() -> None:
    query, key, ones, (cos, sin) = (
        normal(1, 3, 4, 16),
        normal(1, 3, 2, 16),
        torch.ones(16),
        angles(1, 3, 16),
    )
    with pytest.raises(ValueError, match="do not fit query"):
        prepare_heads(query, key, key[:, :2], ones, ones, cos, sin, EPS)
    with pytest.raises(ValueError, match="16 weights"):
        prepare_heads(query, key, key, ones[:8], ones, cos, sin, EPS)
    with pytest.raises(ValueError, match="cos"):
        prepare_heads(query, key, key, ones, ones, cos[:, :2], sin, EPS)
    with pytest.raises(ValueError, match="contiguous along D"):
        prepare_heads(normal(1, 3, 16, 4).transpose(2, 3), key, key, ones, ones, cos, sin, EPS)
