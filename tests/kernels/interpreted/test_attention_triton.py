"""Cached attention in Triton, and what stores keys for it, against the plain references."""

import math

import pytest
import torch
from infill_kernels.attention import OwnCaches, attend_own_caches
from infill_kernels.attention import attend_cached as reference
from infill_kernels.attention_configs import AttentionConfig
from infill_kernels.cache_store import store_keys_values
from infill_kernels.cached_attention import attend_cached, attend_in_tiles
from torch import Tensor

FLOAT32, FLOAT16, FLOAT8 = torch.float32, torch.float16, torch.float8_e4m3fn
TOLERANCE = {FLOAT32: 2e-6, FLOAT16: 2e-3}  # of the norm; weights and result rounded in float16
SMALL = AttentionConfig(16, 16, 4, 2)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_near(got: Tensor, want: Tensor, tolerance: float) -> None:
    assert not got.isnan().any(), "an element was not set, or unseen memory was used"
    assert (got.float() - want).norm() <= tolerance * want.norm() + 1e-12


def count(value: int) -> Tensor:
    return torch.tensor([value], dtype=torch.int32)


class Case:
    """Queries and keys of a pass and a cache, NaN in all memory that does not count."""

    def __init__(
        self,
        num_tokens: int,
        num_cached: int,
        heads: tuple[int, int] = (4, 2),
        head_dim: int = 32,
        dtype: torch.dtype = FLOAT32,
        batch: int = 1,
        cache_batch: int = 1,
        capacity: int = 70,
        cache_dtype: torch.dtype | None = None,
        num_new: int | None = None,
    ) -> None:
        num_heads, num_kv_heads = heads
        self.num_cached = count(num_cached)
        self.num_new = None if num_new is None else count(num_new)
        self.query = (normal(batch, num_tokens, num_heads, head_dim) / head_dim**0.25).to(dtype)
        own = normal(batch, num_tokens, num_kv_heads, 2 * head_dim, seed=1).to(dtype)
        self.key, self.value = own[..., :head_dim], own[..., head_dim:]
        if num_new is not None:
            own[:, num_new:] = math.nan
        cache = normal(2, cache_batch, num_kv_heads, capacity, head_dim, seed=2)
        cache[:, :, :, num_cached:] = math.nan
        self.cache_key, self.cache_value = cache.to(cache_dtype or dtype)

    def check(
        self,
        is_causal: bool,
        window: int | None,
        config: AttentionConfig | None = SMALL,
        num_splits: int = 3,
        tolerance: float | None = None,
    ) -> None:
        pass_ = self.query, self.key, self.value
        where = self.num_cached, is_causal, window, self.num_new
        cache = self.cache_key, self.cache_value
        if config is None:
            got = attend_cached(*pass_, *cache, *where)
        else:
            got = attend_in_tiles(*pass_, *cache, *where, config, num_splits)
        want = reference(*(x.float() for x in (*pass_, *cache)), *where)
        assert got.dtype == self.query.dtype
        assert got.is_contiguous()
        new = got.shape[1] if self.num_new is None else int(self.num_new)
        assert_near(got[:, :new], want[:, :new], tolerance or TOLERANCE[got.dtype])


# Attention


@pytest.mark.parametrize("num_cached", [0, 1, 37, 70])
@pytest.mark.parametrize(
    ("is_causal", "window"), [(False, None), (False, 20), (True, None), (True, 9)]
)
@pytest.mark.parametrize("num_splits", [1, 3])
def test_lengths(num_cached: int, is_causal: bool, window: int | None, num_splits: int) -> None:
    Case(13, num_cached).check(is_causal, window, num_splits=num_splits)


@pytest.mark.parametrize("num_tokens", [1, 7, 63, 257])
@pytest.mark.parametrize("is_causal", [False, True])
def test_odd_numbers_of_tokens(num_tokens: int, is_causal: bool) -> None:
    Case(num_tokens, 21).check(is_causal, 17)


@pytest.mark.parametrize("heads", [(4, 4), (16, 2), (3, 1), (6, 2)])
def test_heads_that_share_keys(heads: tuple[int, int]) -> None:
    """Also three, which leave a row of each tile unused."""
    Case(7, 21, heads).check(True, 11)


@pytest.mark.parametrize("num_new", [1, 4, 13])
@pytest.mark.parametrize(("is_causal", "window"), [(False, None), (True, 5)])
def test_padding_is_not_seen(num_new: int, is_causal: bool, window: int | None) -> None:
    Case(13, 30, num_new=num_new).check(is_causal, window)


@pytest.mark.parametrize("cache_batch", [1, 3])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_batches(cache_batch: int, dtype: torch.dtype) -> None:
    Case(5, 21, batch=3, cache_batch=cache_batch, dtype=dtype).check(False, 9)


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_a_cache_in_eight_bits(dtype: torch.dtype) -> None:
    Case(5, 40, dtype=dtype, cache_dtype=FLOAT8).check(True, 25)


@pytest.mark.parametrize("head_dim", [64, 256, 512])
def test_the_configured_sizes(head_dim: int) -> None:
    Case(9, 50, (4, 1), head_dim).check(True, None, config=None)
    Case(9, 50, (4, 1), head_dim).check(False, 30, config=None)


def test_more_splits_than_blocks_and_the_same_bits_again() -> None:
    case = Case(3, 5)
    case.check(False, None, num_splits=16)
    arguments = (case.query, case.key, case.value, case.cache_key, case.cache_value)
    first, second = (attend_cached(*arguments, case.num_cached, False, None) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(("window", "num_splits"), [(None, 1), (20, 3)])
@pytest.mark.parametrize(
    ("dtype", "cache_dtype"), [(FLOAT32, FLOAT32), (FLOAT16, FLOAT16), (FLOAT16, FLOAT8)]
)
def test_a_cache_for_each_row(
    dtype: torch.dtype, cache_dtype: torch.dtype, window: int | None, num_splits: int
) -> None:
    """Four rows: two of one cache, an empty cache, a full one; NaN behind what is valid."""
    lengths = [37, 0, 70, 37]
    cases = [Case(13, num, dtype=dtype, cache_dtype=cache_dtype) for num in lengths[:3]]
    cases.append(cases[0])
    passes = [
        torch.cat([getattr(case, name) * (1 + idx) for idx, case in enumerate(cases)])
        for name in ("query", "key", "value")
    ]
    caches = OwnCaches(
        [case.cache_key.contiguous() for case in cases],
        [case.cache_value.contiguous() for case in cases],
        torch.empty(2, 4, dtype=torch.int64),
        torch.tensor(lengths, dtype=torch.int32),
    )
    for places, tensors in zip(caches.addresses, (caches.keys, caches.values), strict=True):
        places.copy_(torch.tensor([tensor.data_ptr() for tensor in tensors]))
    want = torch.cat(
        [
            reference(
                *(x[idx : idx + 1].float() for x in passes),
                caches.keys[idx].float(),
                caches.values[idx].float(),
                count(lengths[idx]),
                False,
                window,
            )
            for idx in range(4)
        ]
    )
    layout, where = caches.keys[0], (caches.num_cached, False, window, None)
    got = attend_in_tiles(*passes, layout, layout, *where, SMALL, num_splits, caches.addresses)
    assert_near(got, want, TOLERANCE[dtype])
    assert_near(attend_own_caches(*passes, caches, False, window), want, TOLERANCE[dtype])


def test_large_scores() -> None:
    case = Case(5, 40)
    case.query *= 200
    # Scores of a thousand round by 1e-4, each processor's product in its own way.
    case.check(True, 25, tolerance=1e-4)


def test_no_tokens() -> None:
    case = Case(0, 5)
    arguments = (case.query, case.key, case.value, case.cache_key, case.cache_value)
    assert attend_cached(*arguments, case.num_cached, False, None).shape == (1, 0, 4, 32)


def test_unfitting_arguments_are_refused() -> None:
    query, key, cache, none = (
        normal(1, 3, 4, 32), normal(1, 3, 2, 32), normal(1, 2, 9, 32), count(0),
    )  # fmt: skip
    with pytest.raises(ValueError, match="does not fit query"):
        attend_cached(query, key, key[:, :2], cache, cache, none, False, None)
    with pytest.raises(ValueError, match="cache is"):
        attend_cached(query, key, key, cache.half(), cache.half(), none, False, None)
    with pytest.raises(ValueError, match="laid out alike"):
        attend_cached(query, key, key, cache, cache[:, :, :8], none, False, None)
    with pytest.raises(ValueError, match="window"):
        attend_cached(query, key, key, cache, cache, none, False, 0)
    with pytest.raises(ValueError, match="one int32"):
        attend_cached(query, key, key, cache, cache, none.long(), False, None)
    with pytest.raises(ValueError, match="power of two"):
        attend_cached(*(x[..., :24] for x in (query, key, key, cache, cache)), none, False, None)
    places = torch.zeros(2, 2, dtype=torch.int64)
    with pytest.raises(ValueError, match="addresses must be"):
        attend_cached(query, key, key, cache, cache, none, False, None, addresses=places)
    with pytest.raises(ValueError, match="does not fit key"):
        store_keys_values(key, key, cache[:, :1], cache[:, :1], none)


# Storing


@pytest.mark.parametrize("num_tokens", [1, 7, 63, 257])
@pytest.mark.parametrize("num_new", [None, 1, 5])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_store(num_tokens: int, num_new: int | None, dtype: torch.dtype) -> None:
    """What is beyond the new tokens or the capacity is left alone: 63 tokens do not fit."""
    both = normal(1, num_tokens, 2, 40, seed=1).to(dtype)
    new = num_tokens if num_new is None else min(num_new, num_tokens)
    both[:, new:] = math.nan
    key, value = both[..., :16], both[..., 20:36]
    caches = [torch.full((1, 2, 50, 16), 7.0 + i, dtype=dtype) for i in range(2)]
    want = [cache.clone() for cache in caches]
    end = min(50, 11 + new)
    for cache, rows in zip(want, (key, value), strict=True):
        cache[:, :, 11:end] = rows[:, : end - 11].transpose(1, 2)
    store_keys_values(key, value, *caches, count(11), None if num_new is None else count(num_new))
    assert torch.equal(caches[0], want[0])
    assert torch.equal(caches[1], want[1])


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_store_in_eight_bits(dtype: torch.dtype) -> None:
    """Every number the type has, halves between them, subnormals and what is beyond it."""
    bits = torch.arange(256, dtype=torch.uint8)
    exact = bits[(bits & 127) < 127].view(FLOAT8).float()
    between = (exact[1:] + exact[:-1]) / 2
    numbers = torch.cat([exact, between, normal(500), normal(500) * 0.01, torch.tensor([449.0])])
    numbers = torch.cat([numbers, torch.tensor([1e4, -6e4, 1e-6, -1e-6])]).to(dtype)
    rows = torch.zeros(1, 32, 1, 64, dtype=dtype)
    rows.view(-1)[: len(numbers)] = numbers
    caches = [torch.zeros(1, 1, 32, 64).to(FLOAT8) for _ in range(2)]
    store_keys_values(rows, -rows, *caches, count(0))
    for cache, sign in zip(caches, (1, -1), strict=True):
        want = (sign * rows.float()).clamp(-448, 448).to(FLOAT8)
        assert torch.equal(cache.view(torch.uint8), want.view(1, 1, 32, 64).view(torch.uint8))


def test_no_tokens_to_store() -> None:
    none, cache = torch.zeros(1, 0, 2, 16), torch.zeros(1, 2, 4, 16)
    store_keys_values(none, none, cache, cache.clone(), count(0))
    assert not cache.any()
