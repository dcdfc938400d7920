"""The sampler's Triton kernels against their plain PyTorch reference."""

import pytest
import torch
from infill_kernels import sampler, sampler_fused, soft_embedding
from infill_kernels.sampler import Predicted, predict_from_logits, softcapped_logits
from infill_kernels.sampler_configs import ProductConfig
from infill_kernels.sampler_head import head_product
from infill_kernels.sampler_reduce import reduce_tiles
from infill_kernels.soft_embedding import split_product
from torch import Tensor

FLOAT32, FLOAT16 = torch.float32, torch.float16
SOFTCAP = 30.0
HEAD = ProductConfig(16, 64, 32, 4, 2)
SOFT = ProductConfig(16, 32, 64, 4, 2)
BANNED, FIRST_BANNED = [0, 3, 5, 130], [1, 3]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def assert_near(got: Tensor, want: Tensor, tolerance: float) -> None:
    assert not got.isnan().any(), "an element was not set"
    assert got.shape == want.shape
    assert (got.float() - want.float()).norm() <= tolerance * want.float().norm() + 1e-12


def hidden_and_table(
    num_rows: int, vocab: int, size: int = 70, dtype: torch.dtype = FLOAT32
) -> tuple[Tensor, Tensor]:
    """Scores of some 8, so that the softcap bends them and a few tokens matter."""
    table = normal(vocab, size, seed=1) / size**0.5
    return (normal(num_rows, size) * 8).to(dtype), table.to(dtype)


def rules(vocab: int) -> Tensor:
    forbidden = torch.zeros(2, vocab, dtype=torch.uint8)
    forbidden[:, [t for t in BANNED if t < vocab]] = 1
    forbidden[0, FIRST_BANNED] = 1
    return forbidden


def settings(temperature: float, seed: int = 7, draw: int = 2) -> tuple[Tensor, Tensor]:
    return torch.tensor([temperature]), torch.tensor([seed, draw])


def predict(
    hidden: Tensor,
    table: Tensor,
    forbidden: Tensor,
    temperature: float,
    canvas_length: int = 5,
    pinned_ids: Tensor | None = None,
    config: ProductConfig = HEAD,
    softcap: float = SOFTCAP,
) -> Predicted:
    heat, seed = settings(temperature)
    tiles = head_product(hidden, table, softcap, forbidden, heat, canvas_length, config)
    return reduce_tiles(tiles, heat, seed, pinned_ids)


def check_statistics(
    got: Predicted, temperature: float, pinned_ids: Tensor | None = None
) -> Predicted:
    """All must follow from the logits as stored; returns what the reference makes of them."""
    want = predict_from_logits(got.logits, *settings(temperature), pinned_ids)
    assert torch.equal(got.argmax, want.argmax)
    assert torch.equal(got.sampled, want.sampled)
    assert torch.equal(got.largest, want.largest)
    assert_near(got.total, want.total, 1e-6)
    assert torch.allclose(got.entropy, want.entropy, rtol=1e-5, atol=1e-5)
    return want


def check_logits(got: Tensor, hidden: Tensor, table: Tensor, forbidden: Tensor) -> None:
    want = softcapped_logits(hidden.float(), table.float(), SOFTCAP, forbidden, 5)
    assert torch.equal(got.isinf(), want.isinf())
    finite = ~want.isinf()
    tolerance = {FLOAT32: 2e-5, FLOAT16: 2**-6}[got.dtype]  # half a place of 16 to 32
    assert (got.float() - want)[finite].abs().max() <= tolerance


# Logits, entropies, ids


@pytest.mark.parametrize("num_rows", [1, 7, 63])
@pytest.mark.parametrize("vocab", [257, 1000])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
def test_odd_sizes(num_rows: int, vocab: int, dtype: torch.dtype) -> None:
    """Neither rows, tokens nor columns are multiples of a block; rules for both kinds of rows."""
    hidden, table = hidden_and_table(num_rows, vocab, dtype=dtype)
    forbidden = rules(vocab)
    got = predict(hidden, table, forbidden, 0.7)
    check_logits(got.logits, hidden, table, forbidden)
    check_statistics(got, 0.7)
    assert not set(got.sampled.tolist()) & set(BANNED)


@pytest.mark.parametrize("vocab", [257, 500])
def test_two_tiles_at_once(vocab: int) -> None:
    """As in the largest configuration; of the last pair the second may lie beyond the table."""
    hidden, table = hidden_and_table(7, vocab)
    got = predict(hidden, table, rules(vocab), 0.7, config=ProductConfig(16, 256, 32, 8, 2))
    check_logits(got.logits, hidden, table, rules(vocab))
    check_statistics(got, 0.7)


@pytest.mark.parametrize("temperature", [0.0, 1e-4, 0.05, 3.0])
def test_temperatures(temperature: float) -> None:
    hidden, table = hidden_and_table(7, 257)
    got = predict(hidden, table, rules(257), temperature)
    check_statistics(got, temperature)
    if temperature < 0.01:
        assert torch.equal(got.sampled, got.argmax)


def test_only_allowed_first_tokens() -> None:
    """Whole tiles are forbidden, the first and the last among them."""
    hidden, table = hidden_and_table(6, 257)
    forbidden = torch.zeros(2, 257, dtype=torch.uint8)
    forbidden[0] = 1
    forbidden[0, [70, 140]] = 0
    got = predict(hidden, table, forbidden, 1.0, canvas_length=3)
    check_statistics(got, 1.0)
    assert set(got.sampled[[0, 3]].tolist()) <= {70, 140}
    forbidden[0, 140] = 1
    got = predict(hidden, table, forbidden, 1.0, canvas_length=3)
    assert got.sampled[[0, 3]].tolist() == got.argmax[[0, 3]].tolist() == [70, 70]
    assert got.entropy[[0, 3]].tolist() == [0.0, 0.0]


def test_equal_logits() -> None:
    """Of equals the lowest id, across tiles too; the entropy is that of a fair choice."""
    hidden, table = torch.zeros(3, 70), hidden_and_table(3, 257)[1]
    forbidden = rules(257)
    got = predict(hidden, table, forbidden, 0.5, canvas_length=3)
    check_statistics(got, 0.5)
    assert got.argmax.tolist() == [2, 1, 1]
    num_allowed = 257 - forbidden.sum(dim=-1).float()
    assert torch.allclose(got.entropy, num_allowed[[0, 1, 1]].log())


def test_pinned_rows() -> None:
    hidden, table = hidden_and_table(7, 257)
    pinned_ids = torch.tensor([-1, 256, -1, 0, 3, -1, 7])
    got = predict(hidden, table, rules(257), 0.7, pinned_ids=pinned_ids)
    check_statistics(got, 0.7, pinned_ids)
    pinned = pinned_ids >= 0
    assert torch.equal(got.sampled[pinned], pinned_ids[pinned])
    assert torch.equal(got.argmax[pinned], pinned_ids[pinned])
    assert not got.entropy[pinned].any()


def test_scores_that_are_no_numbers_give_ids_that_exist() -> None:
    hidden, table = hidden_and_table(4, 257)
    hidden[1] = torch.nan
    hidden[2, 0] = torch.inf
    got = predict(hidden, table, rules(257), 0.7)
    for ids in (got.argmax, got.sampled):
        assert ids.min() >= 0
        assert ids.max() < 257


# Sampling


def test_samples_are_distributed_as_the_probabilities() -> None:
    """Chi-square of 640 rows alike, over tiles of 16; the same test refuses a wrong temperature."""
    num_rows, vocab = 640, 40
    hidden, table = hidden_and_table(1, vocab, 16)
    hidden = hidden.expand(num_rows, -1) / 4
    forbidden = torch.zeros(2, vocab, dtype=torch.uint8)
    forbidden[:, [2, 20]] = 1
    config = ProductConfig(16, 16, 16, 4, 2)
    got = predict(hidden, table, forbidden, 1.0, canvas_length=1, config=config)
    counts = torch.bincount(got.sampled, minlength=vocab).double()
    assert counts[[2, 20]].tolist() == [0, 0]

    def chi_square(temperature: float) -> float:
        want = (got.logits[0].double() / temperature).softmax(-1) * num_rows
        allowed = want > 0
        return ((counts - want)[allowed] ** 2 / want[allowed]).sum().item()

    # 37 degrees of freedom: 69.3 is exceeded with probability 0.001, 12.6 not reached with 0.0001.
    assert 12.6 < chi_square(1.0) < 69.3
    assert chi_square(1.6) > 80


def test_draws() -> None:
    """The same seed and draw repeat; another of either differs, and so does another row."""
    hidden, table = hidden_and_table(1, 257)
    hidden = hidden.expand(24, -1) / 8  # rows of stride 0
    forbidden = rules(257)

    def sampled(seed: int, draw: int) -> Tensor:
        heat, both = settings(1.0, seed, draw)
        tiles = head_product(hidden, table, SOFTCAP, forbidden, heat, 24, HEAD)
        got = reduce_tiles(tiles, heat, both, None)
        assert torch.equal(got.sampled, predict_from_logits(got.logits, heat, both).sampled)
        return got.sampled

    first = sampled(2**40 + 1, 0)
    assert torch.equal(first, sampled(2**40 + 1, 0))
    assert len(first.unique()) > 12
    for seed, draw in ((1, 0), (2**40 + 1, 1), (2**40 + 1, 2**33), (-1, 0)):
        assert (sampled(seed, draw) != first).sum() > 16


# Mean embeddings


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT16])
@pytest.mark.parametrize(("num_rows", "num_splits"), [(1, 1), (7, 3), (63, 2), (7, 99), (257, 2)])
def test_soft_embeddings(num_rows: int, num_splits: int, dtype: torch.dtype) -> None:
    hidden, table = hidden_and_table(num_rows, 257, dtype=dtype)
    temperature = torch.tensor([0.6])
    predicted = predict(hidden, table, rules(257), 0.6)
    got = split_product(predicted, table, temperature, 8.4, SOFT, num_splits)
    want = sampler.soft_embeddings(predicted, table.float(), temperature, 8.4)
    assert got.dtype == dtype
    assert_near(got, want, {FLOAT32: 2e-6, FLOAT16: 1e-3}[dtype])


def test_forbidden_tokens_count_nothing_and_cold_rows_are_one_embedding() -> None:
    hidden, table = hidden_and_table(5, 257)
    predicted = predict(hidden, table, rules(257), 1e-4)
    cold = torch.tensor([1e-4])
    got = split_product(predicted, table, cold, 2.0, SOFT, 2)
    assert_near(got, 2 * table[predicted.argmax], 1e-6)
    greedy = predict(hidden, table, rules(257), 0.0)
    got = split_product(greedy, table, torch.zeros(1), 1.0, SOFT, 2)
    want = greedy.logits.softmax(-1) @ table
    assert_near(got, want, 2e-6)


# As called


def test_the_configured_sizes_and_rows_of_a_wider_tensor() -> None:
    _, table = hidden_and_table(1, 257)
    hidden = (normal(7, 90) * 8)[:, 5:75]
    heat, seed = settings(0.7)
    arguments = (hidden, table, SOFTCAP, rules(257), heat, seed, 5)
    got = sampler_fused.predict_tokens(*arguments)
    check_logits(got.logits, hidden, table, rules(257))
    check_statistics(got, 0.7)
    mean = soft_embedding.soft_embeddings(got, table, heat, 8.4)
    assert_near(mean, sampler.soft_embeddings(got, table, heat, 8.4), 2e-6)
    again = sampler_fused.predict_tokens(*arguments)
    assert all(torch.equal(a, b) for a, b in zip(got, again, strict=True))
    assert torch.equal(mean, soft_embedding.soft_embeddings(again, table, heat, 8.4))


def test_no_rows() -> None:
    table = normal(20, 16)
    heat, seed = settings(1.0)
    forbidden = torch.zeros(2, 20, dtype=torch.uint8)
    got = sampler_fused.predict_tokens(table[:0], table, SOFTCAP, forbidden, heat, seed, 5)
    assert got.sampled.shape == got.entropy.shape == (0,)
    assert soft_embedding.soft_embeddings(got, table, heat, 1.0).shape == (0, 16)


def test_unfitting_arguments_are_refused() -> None:
    hidden, table = hidden_and_table(3, 20)
    heat, seed = settings(1.0)
    forbidden = torch.zeros(2, 20, dtype=torch.uint8)
    with pytest.raises(ValueError, match="forbidden must be"):
        sampler_fused.predict_tokens(hidden, table, SOFTCAP, forbidden.bool(), heat, seed, 5)
    got = sampler_fused.predict_tokens(hidden, table, SOFTCAP, forbidden, heat, seed, 5)
    with pytest.raises(ValueError, match="of 20 tokens"):
        soft_embedding.soft_embeddings(got, table[:19], heat, 1.0)
    with pytest.raises(ValueError, match="temperature must be"):
        soft_embedding.soft_embeddings(got, table, heat.double(), 1.0)
