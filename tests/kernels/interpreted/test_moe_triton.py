"""The Triton mixture of experts against its plain PyTorch reference in float32."""

import pytest
import torch
from infill_kernels import moe_weights, rms_norm, route, run_experts
from infill_kernels.moe_blocks import most_blocks, sort_into_blocks
from infill_kernels.moe_combine import combine_branches, sum_choices
from infill_kernels.moe_configs import TileConfig
from infill_kernels.moe_down import down
from infill_kernels.moe_fused import run_packed_experts
from infill_kernels.moe_gate_up import gate_up
from infill_kernels.moe_router import choose_experts
from infill_kernels.moe_weights import ExpertMatrices
from torch import Tensor

FLOAT32, FLOAT16 = torch.float32, torch.float16
TOLERANCE = {FLOAT32: 2e-6, FLOAT16: 2e-3}  # of the norm; one rounding a product in float16


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_near(got: Tensor, want: Tensor, tolerance: float) -> None:
    assert not got.isnan().any(), "an element was not set"
    assert (got.float() - want).norm() <= tolerance * want.norm() + 1e-12


def matrices(num_experts: int, size: int, inner: int) -> tuple[Tensor, Tensor]:
    gate_up_weight = normal(num_experts, 2 * inner, size, seed=3) / size**0.5
    return gate_up_weight, normal(num_experts, size, inner, seed=4) / inner**0.5


def pack(weight: Tensor, kind: str, dtype: torch.dtype) -> ExpertMatrices:
    name, _, group = kind.partition("/")
    if name == "dense":
        return moe_weights.dense(weight.to(dtype))
    if name == "fp8":
        return moe_weights.pack_float8(weight, int(group) if group else None)
    return moe_weights.pack_int4(weight, int(group))


def routing(num_rows: int, num_experts: int, num_chosen: int) -> tuple[Tensor, Tensor]:
    scores = normal(num_rows, num_experts, seed=6)
    return route(scores, torch.eye(num_experts), torch.ones(num_experts), num_chosen)


def check_experts(
    x: Tensor,
    gate_up_weights: ExpertMatrices,
    down_weights: ExpertMatrices,
    weights: Tensor,
    expert_idx: Tensor,
    config: TileConfig,
) -> None:
    blocks = sort_into_blocks(expert_idx, gate_up_weights.shape[0], config.block_m)
    inner = gate_up(x, gate_up_weights, blocks, config.fitted(gate_up_weights))
    choices = down(inner, down_weights, weights, blocks, config.fitted(down_weights))
    unpacked = moe_weights.unpack(gate_up_weights), moe_weights.unpack(down_weights)
    want = run_experts(x.float(), *unpacked, weights, expert_idx)
    assert_near(sum_choices(choices), want, TOLERANCE[x.dtype])


# The whole mixture


@pytest.mark.parametrize("num_rows", [1, 7, 63, 257])
@pytest.mark.parametrize("is_swapped", [False, True])
def test_odd_sizes(num_rows: int, is_swapped: bool) -> None:
    """Neither rows, columns nor depth are multiples of a block."""
    gate_up_weight, down_weight = matrices(5, 70, 44)
    config = TileConfig(16, 32, 32, 4, 2, is_swapped)
    packed = moe_weights.dense(gate_up_weight), moe_weights.dense(down_weight)
    check_experts(normal(num_rows, 70), *packed, *routing(num_rows, 5, 3), config)


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
@pytest.mark.parametrize("is_swapped", [False, True])
@pytest.mark.parametrize("kind", ["dense", "fp8", "fp8/64", "int4/64", "int4/32"])
def test_formats(kind: str, dtype: torch.dtype, is_swapped: bool) -> None:
    gate_up_weight, down_weight = matrices(3, 128, 64)
    config = TileConfig(16, 64, 64, 4, 2, is_swapped)
    packed = pack(gate_up_weight, kind, dtype), pack(down_weight, kind, dtype)
    check_experts(normal(7, 128).to(dtype), *packed, *routing(7, 3, 2), config)


def test_an_odd_number_of_groups() -> None:
    """As in the published model, whose down matrices have 11 groups of 64."""
    gate_up_weight, down_weight = matrices(2, 64, 192)
    packed = pack(gate_up_weight, "int4/64", FLOAT32), pack(down_weight, "int4/64", FLOAT32)
    config = TileConfig(16, 64, 64, 4, 2)
    check_experts(normal(3, 64), *packed, *routing(3, 2, 1), config)


@pytest.mark.parametrize("chosen", [[0, 1], [7, 0], [3, 4]])
def test_all_rows_to_the_same_experts(chosen: list[int]) -> None:
    """Several blocks an expert, and none for the others, whose weights must not be read."""
    gate_up_weight, down_weight = matrices(8, 32, 16)
    gate_up_weight[[e for e in range(8) if e not in chosen]] = torch.nan
    packed = moe_weights.dense(gate_up_weight), moe_weights.dense(down_weight)
    weights = normal(63, 2, seed=5).softmax(dim=-1)
    expert_idx = torch.tensor(chosen).repeat(63, 1)
    check_experts(normal(63, 32), *packed, weights, expert_idx, TileConfig(16, 32, 32, 4, 2))


def test_rows_of_a_wider_tensor_and_the_configured_sizes() -> None:
    """`run_packed_experts` takes its sizes from the table, far larger than this model."""
    gate_up_weight, down_weight = matrices(4, 40, 24)
    x = normal(7, 64)[:, 8:48]
    weights, expert_idx = routing(7, 4, 2)
    packed = moe_weights.dense(gate_up_weight), moe_weights.dense(down_weight)
    got = run_packed_experts(x, *packed, weights, expert_idx)
    want = run_experts(x, gate_up_weight, down_weight, weights, expert_idx)
    assert_near(got, want, TOLERANCE[FLOAT32])
    assert torch.equal(got, run_packed_experts(x, *packed, weights, expert_idx))


def test_no_rows() -> None:
    packed = [moe_weights.dense(w) for w in matrices(4, 40, 24)]
    empty = torch.zeros(0, 2)
    assert run_packed_experts(torch.zeros(0, 40), *packed, empty, empty.long()).shape == (0, 40)
    assert choose_experts(torch.zeros(0, 4), torch.ones(4), 2)[1].shape == (0, 2)
    none, ones = torch.zeros(0, 8), torch.ones(8)
    ended = combine_branches(torch.zeros(0, 2, 8), none, none, ones, ones, ones, ones[:1], 1e-6)
    assert ended.shape == (0, 8)


# Router


@pytest.mark.parametrize("num_rows", [1, 7, 63, 257])
@pytest.mark.parametrize(("num_experts", "num_chosen"), [(1, 1), (5, 5), (13, 4), (128, 8)])
def test_choose_experts(num_rows: int, num_experts: int, num_chosen: int) -> None:
    scores = normal(num_rows, num_experts + 3)[:, :num_experts] * 4
    scale = normal(num_experts, seed=2).abs() + 0.5
    weights, expert_idx = choose_experts(scores, scale, num_chosen)
    want_weights, want_idx = route(scores, torch.eye(num_experts), scale, num_chosen)
    assert torch.equal(expert_idx, want_idx)
    assert_near(weights, want_weights, 1e-6)


def test_equal_scores_go_to_the_lower_expert() -> None:
    scores = torch.tensor([[1.0, 2.0, 2.0, -3.0], [-1.0, -2.0, -2.0, -2.0], [0.0, 0.0, 0.0, 0.0]])
    weights, expert_idx = choose_experts(scores, torch.ones(4), 3)
    assert expert_idx.tolist() == [[1, 2, 0], [0, 1, 2], [0, 1, 2]]
    assert weights[2].tolist() == pytest.approx([1 / 3] * 3)


def test_scores_that_are_no_numbers_choose_experts_that_exist() -> None:
    scores = torch.tensor([[torch.nan] * 4, [torch.inf, -torch.inf, torch.nan, 0.0]])
    _, expert_idx = choose_experts(scores, torch.ones(4), 3)
    for row in expert_idx.tolist():
        assert len(set(row) & {0, 1, 2, 3}) == 3


# Sorting


@pytest.mark.parametrize("num_rows", [1, 63, 700])
@pytest.mark.parametrize("block_m", [16, 32])
@pytest.mark.parametrize("num_experts", [3, 20])
def test_blocks(num_rows: int, block_m: int, num_experts: int) -> None:
    _, expert_idx = routing(num_rows, num_experts, 3)
    blocks = sort_into_blocks(expert_idx, num_experts, block_m)
    num_blocks = int(blocks.num_blocks)
    assert num_blocks <= blocks.max_blocks == most_blocks(3 * num_rows, num_experts, block_m)
    want_pairs: list[int] = []
    want_experts: list[int] = []
    for expert in range(num_experts):
        own = (expert_idx.flatten() == expert).nonzero().flatten().tolist()
        height = -(-len(own) // block_m)
        want_pairs += own + [3 * num_rows] * (height * block_m - len(own))
        want_experts += [expert] * height
    assert blocks.pairs[: num_blocks * block_m].tolist() == want_pairs
    assert blocks.experts[:num_blocks].tolist() == want_experts


def test_the_most_blocks_are_never_exceeded() -> None:
    for counts in ([1] * 5, [17, 1, 1, 1, 1], [16, 16, 17, 1], [0, 0, 33]):
        needed = sum(-(-count // 16) for count in counts)
        assert needed <= most_blocks(sum(counts), len(counts), 16)


# The end of the layer


@pytest.mark.parametrize("num_rows", [1, 7])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_combine_branches(num_rows: int, dtype: torch.dtype) -> None:
    size, eps = 70, 1e-6
    choices = normal(num_rows, 3, size).to(dtype)
    dense = (normal(num_rows, size + 9, seed=1) * 30).to(dtype)[:, 4 : size + 4]
    residual = normal(num_rows, size, seed=2).to(dtype)
    norms = [(normal(size, seed=3 + i) + 1).to(dtype) for i in range(3)]
    scalar = torch.tensor([0.3], dtype=dtype)
    got = combine_branches(choices, dense, residual, *norms, scalar, eps)
    dense_norm, sparse_norm, branch_norm = (norm.float() for norm in norms)
    both = rms_norm(dense.float(), dense_norm, eps)
    both = both + rms_norm(choices.float().sum(1), sparse_norm, eps)
    want = (residual.float() + rms_norm(both, branch_norm, eps)) * scalar.float()
    assert got.dtype == dtype
    assert_near(got, want, {FLOAT32: 1e-6, FLOAT16: 1e-3}[dtype])


# What is refused


def test_unfitting_arguments_are_refused() -> None:
    gate_up_weight, down_weight = (moe_weights.dense(w) for w in matrices(4, 40, 24))
    weights, expert_idx = routing(7, 4, 2)
    blocks = sort_into_blocks(expert_idx, 4, 16)
    config = TileConfig(16, 32, 32, 4, 2)
    with pytest.raises(ValueError, match=r"x must be \[N, 40\]"):
        gate_up(normal(7, 41), gate_up_weight, blocks, config)
    with pytest.raises(ValueError, match="blocks have 16 rows"):
        gate_up(normal(7, 40), gate_up_weight, blocks, config._replace(block_m=32))
    with pytest.raises(ValueError, match=r"weights are torch\.float32"):
        gate_up(normal(7, 40).half(), gate_up_weight, blocks, config)
    with pytest.raises(ValueError, match="inner must be"):
        down(normal(7, 24), down_weight, weights, blocks, config)
    with pytest.raises(ValueError, match="power of two"):
        sort_into_blocks(expert_idx, 4, 24)
    with pytest.raises(ValueError, match="num_experts_per_token"):
        choose_experts(normal(3, 4), torch.ones(4), 5)
    with pytest.raises(ValueError, match="contiguous rows"):
        combine_branches(
            normal(3, 2, 8), normal(3, 9), normal(3, 8), *[torch.ones(8)] * 3, torch.ones(1), 1e-6
        )
