"""The reference operations against plain loops over single numbers, in float64."""

import math

import pytest
import torch
from infill_kernels import (
    BANNED_LOGIT,
    attend,
    rms_norm,
    rotary_frequencies,
    rotate,
    route,
    run_experts,
    token_statistics,
)
from infill_kernels.attention import attend_cached
from infill_kernels.heads import prepare_heads
from infill_kernels.layer_norms import branch_inputs, finish_layer
from torch import Tensor

TOLERANCE = 2e-5  # float32 against float64, values around 1


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_close(got: Tensor, want: Tensor, tolerance: float = TOLERANCE) -> None:
    torch.testing.assert_close(got.double(), want.double(), rtol=tolerance, atol=tolerance)


# Root-mean-square norm


@pytest.mark.parametrize("shape", [(1, 1), (2, 3, 7), (5, 64)])
@pytest.mark.parametrize("has_weight", [True, False])
def test_rms_norm(shape: tuple[int, ...], has_weight: bool) -> None:
    x, eps = normal(*shape) * 3, 1e-6
    weight = normal(shape[-1], seed=1) if has_weight else None
    want = torch.empty(shape, dtype=torch.float64).flatten(0, -2)
    for row, values in enumerate(x.flatten(0, -2).tolist()):
        size = math.sqrt(sum(v * v for v in values) / len(values) + eps)
        for i, value in enumerate(values):
            want[row, i] = value / size * (1.0 if weight is None else weight[i].item())
    assert_close(rms_norm(x, weight, eps), want.view(shape))


def test_rms_norm_of_zeros_is_zero_and_half_precision_keeps_its_dtype() -> None:
    assert not rms_norm(torch.zeros(2, 4), None, 1e-6).any()
    x = normal(3, 32).bfloat16()
    weight = normal(32, seed=1).bfloat16()
    got = rms_norm(x, weight, 1e-6)
    assert got.dtype == torch.bfloat16
    assert_close(got, rms_norm(x.float(), weight.float(), 1e-6), tolerance=2**-8)
    # Squares of these overflow float16 unless the sum is taken in float32.
    assert torch.isfinite(rms_norm(torch.full((1, 4), 300.0).half(), None, 1e-6)).all()


# Rotary embedding


@pytest.mark.parametrize(("fraction", "is_proportional"), [(1.0, False), (0.25, True), (0.5, True)])
def test_rotate(fraction: float, is_proportional: bool) -> None:
    head_dim, theta = 16, 100.0
    x, positions = normal(2, 5, 3, head_dim), torch.tensor([0, 1, 2, 7, 40])
    frequencies = rotary_frequencies(head_dim, theta, fraction, is_proportional)
    angles = (positions[:, None] * frequencies)[None, :, None]
    got = rotate(x, angles.cos(), angles.sin())
    want = x.double().clone()
    num_turning = int(head_dim * fraction) // 2
    for pair in range(num_turning):
        for i, position in enumerate(positions.tolist()):
            angle = position / theta ** (2 * pair / head_dim)
            first, second = x[:, i, :, pair].double(), x[:, i, :, pair + head_dim // 2].double()
            want[:, i, :, pair] = first * math.cos(angle) - second * math.sin(angle)
            want[:, i, :, pair + head_dim // 2] = second * math.cos(angle) + first * math.sin(angle)
    assert_close(got, want)
    assert torch.equal(got[:, :, :, num_turning : head_dim // 2], x[..., num_turning:8])


# Attention


def attention_by_loops(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    batch, num_heads, num_queries, _ = query.shape
    heads_per_key = num_heads // key.shape[1]
    out = torch.zeros_like(query, dtype=torch.float64)
    for b in range(batch):
        for h in range(num_heads):
            g = h // heads_per_key
            for t in range(num_queries):
                scores = [(query[b, h, t].double() @ k.double()).item() for k in key[b, g]]
                if mask is not None:
                    row = mask.expand(batch, num_heads, num_queries, -1)[b, h, t].tolist()
                    scores = [s if seen else -math.inf for s, seen in zip(scores, row, strict=True)]
                largest = max(scores)
                shares = [math.exp(s - largest) for s in scores]
                for s, share in enumerate(shares):
                    out[b, h, t] += value[b, g, s].double() * share / sum(shares)
    return out


@pytest.mark.parametrize(("num_heads", "num_kv_heads"), [(4, 4), (4, 2), (4, 1), (1, 1)])
@pytest.mark.parametrize("kind", ["all", "causal", "padded rows"])
def test_attend(num_heads: int, num_kv_heads: int, kind: str) -> None:
    query = normal(2, num_heads, 5, 8)
    key = normal(2, num_kv_heads, 9, 8, seed=1)
    value = normal(2, num_kv_heads, 9, 8, seed=2)
    mask = None
    if kind == "causal":
        mask = torch.ones(5, 9, dtype=torch.bool).tril(diagonal=4)
    elif kind == "padded rows":
        mask = (torch.arange(9) < torch.tensor([[4], [9]]))[:, None, None]
    got = attend(query, key, value, mask)
    assert_close(got, attention_by_loops(query, key, value, mask))


def test_attend_takes_views_of_a_longer_cache() -> None:
    cache = normal(1, 2, 40, 8, seed=1)
    query, key, value = normal(1, 4, 3, 8), cache[:, :, 7:20], cache[:, :, 9:22]
    got = attend(query, key, value, None)
    assert_close(got, attention_by_loops(query, key, value, None))


def may_look(query: int, key: int, num_cached: int, is_causal: bool, window: int | None) -> bool:
    """Positions in the whole sequence; the pass's own begin at `num_cached`."""
    if is_causal:
        return key <= query and (window is None or query - key < window)
    return key >= num_cached or window is None or key >= num_cached - (window - 1)


@pytest.mark.parametrize("num_cached", [0, 1, 9])
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("window", [None, 1, 4, 40])
@pytest.mark.parametrize("num_new", [None, 3])
def test_attend_cached(
    num_cached: int, is_causal: bool, window: int | None, num_new: int | None
) -> None:
    query, key, value = normal(2, 5, 4, 8), normal(2, 5, 2, 8, seed=1), normal(2, 5, 2, 8, seed=2)
    cache = normal(2, 1, 2, 12, 8, seed=3)
    cache[:, :, :, num_cached:] = math.nan
    new = num_new or 5
    key[:, new:] = value[:, new:] = math.nan
    seen = [
        [
            may_look(num_cached + t, k, num_cached, is_causal, window)
            for k in range(num_cached + new)
        ]
        for t in range(new)
    ]
    counts = [
        None if n is None else torch.tensor([n], dtype=torch.int32) for n in (num_cached, new)
    ]
    got = attend_cached(
        query, key, value, *cache, counts[0], is_causal, window, counts[1] if num_new else None
    )[:, :new]
    keys, values = (
        torch.cat([old[:, :, :num_cached].expand(2, -1, -1, -1), own[:, :new].transpose(1, 2)], 2)
        for old, own in zip(cache, (key, value), strict=True)
    )
    want = attention_by_loops(query[:, :new].transpose(1, 2), keys, values, torch.tensor(seen))
    assert_close(got.transpose(1, 2), want)


def test_a_cache_of_eight_bits_and_of_other_batches() -> None:
    query, own = normal(2, 3, 4, 8), normal(2, 3, 2, 8, seed=1)
    cache = normal(2, 2, 6, 8, seed=2).to(torch.float8_e4m3fn)
    count = torch.tensor([6], dtype=torch.int32)
    got = attend_cached(query, own, own, cache, cache, count, False, None)
    want = attend_cached(query, own, own, cache.float(), cache.float(), count, False, None)
    assert torch.equal(got, want)


def test_prepare_heads_is_norm_and_rotation() -> None:
    query, key, weight = normal(2, 3, 4, 8), normal(2, 3, 2, 8, seed=1), normal(8, seed=2)
    angles = normal(1, 3, 1, 4, seed=3)
    got = prepare_heads(query, key, key, weight, weight * 2, angles.cos(), angles.sin(), 1e-6)
    assert_close(got[0], rotate(rms_norm(query, weight, 1e-6), angles.cos(), angles.sin()))
    assert_close(got[1], rotate(rms_norm(key, weight * 2, 1e-6), angles.cos(), angles.sin()))
    assert_close(got[2], rms_norm(key, None, 1e-6))


# Between a layer's products


def test_branch_inputs() -> None:
    residual, attended = normal(5, 12), normal(5, 12, seed=1)
    weights = [normal(12, seed=2 + i) for i in range(4)]
    got = branch_inputs(residual, attended, *weights, 1e-6)
    new = residual + rms_norm(attended, weights[0], 1e-6)
    assert_close(got[0], new)
    assert_close(got[1], rms_norm(new, weights[1], 1e-6))
    assert_close(got[2], rms_norm(new, weights[2], 1e-6))
    assert_close(got[3], rms_norm(new, weights[3], 1e-6) / math.sqrt(12))


def test_finish_layer_adds_up_choices() -> None:
    sparse, dense, residual = normal(5, 3, 12), normal(5, 12, seed=1), normal(5, 12, seed=2)
    weights, scalar = [normal(12, seed=3 + i) for i in range(3)], torch.tensor([0.3])
    got = finish_layer(sparse, dense, residual, *weights, scalar, 1e-6)
    both = rms_norm(dense, weights[0], 1e-6) + rms_norm(sparse.sum(1), weights[1], 1e-6)
    assert_close(got, (residual + rms_norm(both, weights[2], 1e-6)) * 0.3)
    assert_close(got, finish_layer(sparse.sum(1), dense, residual, *weights, scalar, 1e-6))


# Mixture of experts


def experts_by_loops(
    x: Tensor, gate_up: Tensor, down: Tensor, weights: Tensor, expert_idx: Tensor
) -> Tensor:
    inner = down.shape[-1]
    out = torch.zeros_like(x, dtype=torch.float64)
    for row in range(len(x)):
        for weight, expert in zip(weights[row].tolist(), expert_idx[row].tolist(), strict=True):
            both = gate_up[expert].double() @ x[row].double()
            gate, up = both[:inner], both[inner:]
            cubic = math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3)
            out[row] += weight * (down[expert].double() @ (0.5 * gate * (1 + cubic.tanh()) * up))
    return out


def expert_weights(num_experts: int, inner: int, size: int) -> tuple[Tensor, Tensor]:
    return (
        normal(num_experts, 2 * inner, size, seed=3) / size**0.5,
        normal(num_experts, size, inner, seed=4) / inner**0.5,
    )


@pytest.mark.parametrize("num_rows", [1, 7, 63, 257])
@pytest.mark.parametrize(("num_experts", "num_chosen"), [(1, 1), (4, 2), (16, 5)])
def test_run_experts(num_rows: int, num_experts: int, num_chosen: int) -> None:
    x = normal(num_rows, 12)
    gate_up, down = expert_weights(num_experts, 6, 12)
    weights = normal(num_rows, num_chosen, seed=5).softmax(dim=-1)
    chances = normal(num_rows, num_experts, seed=6)
    expert_idx = chances.topk(num_chosen, dim=-1).indices
    got = run_experts(x, gate_up, down, weights, expert_idx)
    assert_close(got, experts_by_loops(x, gate_up, down, weights, expert_idx))
    assert torch.equal(got, run_experts(x, gate_up, down, weights, expert_idx))


@pytest.mark.parametrize("num_rows", [1, 7, 63, 257])
@pytest.mark.parametrize("chosen", [[0, 1], [7, 0], [3, 4]])
def test_all_rows_to_the_same_experts(num_rows: int, chosen: list[int]) -> None:
    """The other experts get no row, be they first, last or in between."""
    x = normal(num_rows, 12)
    gate_up, down = expert_weights(8, 6, 12)
    gate_up[[e for e in range(8) if e not in chosen]] = math.nan  # must not be touched
    weights = normal(num_rows, 2, seed=5).softmax(dim=-1)
    expert_idx = torch.tensor(chosen).expand(num_rows, 2)
    got = run_experts(x, gate_up, down, weights, expert_idx)
    assert_close(got, experts_by_loops(x, gate_up, down, weights, expert_idx))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_experts_in_half_precision(dtype: torch.dtype) -> None:
    x = normal(9, 12).to(dtype)
    gate_up, down = (w.to(dtype) for w in expert_weights(4, 6, 12))
    weights, expert_idx = torch.full((9, 2), 0.5), torch.tensor([1, 3]).expand(9, 2)
    got = run_experts(x, gate_up, down, weights, expert_idx)
    assert got.dtype == dtype
    assert_close(got, experts_by_loops(x, gate_up, down, weights, expert_idx), tolerance=2**-5)


def test_experts_pass_gradients_on() -> None:
    x = normal(5, 4).double().requires_grad_()
    gate_up, down = (w.double().requires_grad_() for w in expert_weights(3, 2, 4))
    weights = normal(5, 2, seed=5).double().softmax(dim=-1).requires_grad_()
    expert_idx = torch.tensor([[0, 1], [2, 0], [1, 2], [0, 1], [0, 2]])
    assert torch.autograd.gradcheck(
        lambda *tensors: run_experts(*tensors, expert_idx), (x, gate_up, down, weights)
    )


@pytest.mark.parametrize(("num_experts", "num_chosen"), [(1, 1), (4, 2), (16, 16)])
def test_route(num_experts: int, num_chosen: int) -> None:
    x, router = normal(7, 12), normal(num_experts, 12, seed=1)
    scale = normal(num_experts, seed=2).abs() + 0.5
    weights, expert_idx = route(x, router, scale, num_chosen)
    assert weights.dtype == torch.float32
    for row in range(7):
        scores = [(router[e].double() @ x[row].double()).item() for e in range(num_experts)]
        best = sorted(range(num_experts), key=lambda e: -scores[e])[:num_chosen]
        assert expert_idx[row].tolist() == best
        shares = [math.exp(scores[e] - max(scores)) for e in best]
        want = [s / sum(shares) * scale[e].item() for s, e in zip(shares, best, strict=True)]
        assert_close(weights[row], torch.tensor(want))


# Token statistics


def test_token_statistics() -> None:
    logits = normal(2, 3, 17) * 4
    got = token_statistics(logits)
    assert got.entropy.dtype == torch.float32
    for b in range(2):
        for c in range(3):
            row = logits[b, c].tolist()
            total = sum(math.exp(value) for value in row)
            shares = [math.exp(value) / total for value in row]
            entropy = -sum(p * math.log(p) for p in shares)
            assert got.entropy[b, c].item() == pytest.approx(entropy, rel=1e-5)
            assert got.argmax[b, c].item() == row.index(max(row))
            assert_close(got.probabilities[b, c], torch.tensor(shares))


def test_banned_tokens_count_nothing() -> None:
    logits = normal(1, 4, 9)
    banned = logits.clone()
    banned[..., [0, 5]] = BANNED_LOGIT
    got = token_statistics(banned)
    want = token_statistics(logits[..., [1, 2, 3, 4, 6, 7, 8]])
    assert_close(got.entropy, want.entropy)
    assert not got.probabilities[..., [0, 5]].any()
    assert not torch.isin(got.argmax, torch.tensor([0, 5])).any()


def test_a_certain_position_has_no_entropy() -> None:
    only_one = torch.full((1, 1, 6), BANNED_LOGIT)
    only_one[..., 4] = 2.0
    far_ahead = torch.zeros(1, 1, 6)
    far_ahead[..., 4] = 1e4  # the others' probabilities underflow
    for logits in (only_one, far_ahead):
        got = token_statistics(logits)
        assert got.entropy.item() == 0.0
        assert got.argmax.item() == 4
        assert got.probabilities[0, 0].tolist() == [0, 0, 0, 0, 1, 0]


def test_an_even_position_has_the_most_entropy() -> None:
    assert token_statistics(torch.zeros(1, 1, 64)).entropy.item() == pytest.approx(math.log(64))
