"""The reference sampler against `token_statistics`, plain sums and known random numbers."""

import pytest
import torch
from infill_kernels import BANNED_LOGIT, token_statistics
from infill_kernels.philox import philox, uniform_rows
from infill_kernels.sampler import Predicted, predict_from_logits, predict_tokens, soft_embeddings
from infill_kernels.sampler_configs import count_splits
from torch import Tensor

SOFTCAP, CANVAS = 30.0, 4


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def rules(vocab: int) -> Tensor:
    """Two tokens banned everywhere, and at position 0 all but three."""
    forbidden = torch.zeros(2, vocab, dtype=torch.uint8)
    forbidden[:, [0, 9]] = 1
    forbidden[0] = 1
    forbidden[0, [1, 5, 30]] = 0
    return forbidden


def predict(
    temperature: float,
    dtype: torch.dtype = torch.float32,
    pinned_ids: Tensor | None = None,
    seed: tuple[int, int] = (3, 1),
) -> tuple[Predicted, Tensor, Tensor]:
    hidden, table = (normal(8, 16) * 3).to(dtype), normal(37, 16, seed=1).to(dtype)
    heat = torch.tensor([temperature])
    predicted = predict_tokens(
        hidden, table, SOFTCAP, rules(37), heat, torch.tensor(seed), CANVAS, pinned_ids
    )
    return predicted, hidden, table


@pytest.mark.parametrize("temperature", [0.0, 0.01, 0.8, 2.0])
def test_the_same_as_the_separate_operations(temperature: float) -> None:
    got, hidden, table = predict(temperature)
    logits = SOFTCAP * torch.tanh(hidden @ table.T / SOFTCAP)
    banned = rules(37).bool()[[0, 1, 1, 1] * 2]
    divisor = temperature or 1.0
    want = token_statistics(logits.masked_fill(banned, BANNED_LOGIT) / divisor)
    assert torch.allclose(got.logits, logits.masked_fill(banned, -torch.inf), atol=1e-5)
    assert torch.allclose(got.entropy, want.entropy, atol=1e-5)
    assert torch.equal(got.argmax, want.argmax)
    assert not banned[torch.arange(8), got.sampled].any()
    if temperature == 0.0:
        assert torch.equal(got.sampled, got.argmax)
    mean = soft_embeddings(got, table, torch.tensor([temperature]), 4.0)
    assert torch.allclose(mean, want.probabilities @ table * 4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_logits_in_float16(dtype: torch.dtype) -> None:
    got, hidden, table = predict(0.7, dtype)
    assert got.logits.dtype == torch.float16
    want = predict_from_logits(got.logits, torch.tensor([0.7]), torch.tensor([3, 1]))
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))
    exact = SOFTCAP * torch.tanh(hidden.float() @ table.float().T / SOFTCAP)
    allowed = ~got.logits.isinf()
    largest_error = (got.logits.float() - exact)[allowed].abs().max().item()
    assert largest_error <= 16 * torch.finfo(dtype).eps  # a rounding of raw scores up to 32
    assert soft_embeddings(got, table, torch.tensor([0.7]), 1.0).dtype == dtype


def test_of_equal_logits_the_lowest_id_is_the_most_probable() -> None:
    logits = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-torch.inf, 0.0, 0.0]])
    got = predict_from_logits(logits, torch.tensor([0.5]), torch.tensor([0, 0]))
    assert got.argmax.tolist() == [1, 0, 1]
    assert got.entropy[1:].tolist() == pytest.approx([1.0986123, 0.6931472])


def test_pinned_rows() -> None:
    pinned_ids = torch.tensor([-1, 36, -1, 0, -1, -1, 9, -1])
    got, _, _ = predict(0.8, pinned_ids=pinned_ids)
    free, _, _ = predict(0.8)
    pinned = pinned_ids >= 0
    for ids, free_ids in ((got.argmax, free.argmax), (got.sampled, free.sampled)):
        assert torch.equal(ids, torch.where(pinned, pinned_ids, free_ids))
    assert torch.equal(got.entropy, free.entropy.masked_fill(pinned, 0))


# Random numbers


def test_philox_gives_the_published_numbers() -> None:
    """The known answers of Random123, for counter and key of all zeros and all ones."""
    zero, ones = torch.zeros(1, dtype=torch.int64), torch.full((1,), 2**32 - 1)
    words = [int(word) for word in philox((zero, zero, zero, zero), torch.tensor(0))]
    assert words == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    words = [int(word) for word in philox((ones, ones, ones, ones), torch.tensor(-1))]
    assert words == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def test_uniform_numbers_are_uniform_and_of_their_seed() -> None:
    numbers = uniform_rows(torch.tensor([5, 0]), 20_000)
    counts = torch.histc(numbers.float(), 50, 0, 1)
    assert 20 < ((counts - 400) ** 2 / 400).sum() < 85  # 49 degrees of freedom
    assert torch.equal(numbers[:9], uniform_rows(torch.tensor([5, 0]), 9))
    for seed in ([5, 1], [6, 0], [5, 2**32], [5 + 2**32, 0], [-5, -1]):
        assert not (uniform_rows(torch.tensor(seed), 9) == numbers[:9]).any()


def test_samples_are_distributed_as_the_probabilities() -> None:
    """Chi-square of 30,000 rows alike; the same test refuses a slightly wrong temperature."""
    num_rows, temperature = 30_000, 0.8
    logits = normal(1, 24, seed=4).masked_fill(torch.arange(24) == 6, -torch.inf)
    got = predict_from_logits(
        logits.expand(num_rows, -1), torch.tensor([temperature]), torch.tensor([11, 4])
    )
    counts = torch.bincount(got.sampled, minlength=24).double()
    assert counts[6] == 0

    def chi_square(temperature: float) -> float:
        want = (logits[0].double() / temperature).softmax(-1) * num_rows
        allowed = want > 0
        return ((counts - want)[allowed] ** 2 / want[allowed]).sum().item()

    # 22 degrees of freedom: 48.3 is exceeded with probability 0.001, 5.0 not reached with 0.0001.
    assert 5.0 < chi_square(temperature) < 48.3
    assert chi_square(0.9) > 100


def test_the_same_draw_repeats_and_another_differs() -> None:
    hidden, table = torch.zeros(40, 16), normal(37, 16)
    heat, free = torch.ones(1), torch.zeros(2, 37, dtype=torch.uint8)

    def sampled(seed: int, draw: int) -> Tensor:
        both = torch.tensor([seed, draw])
        return predict_tokens(hidden, table, SOFTCAP, free, heat, both, 40).sampled

    first = sampled(1, 0)
    assert torch.equal(first, sampled(1, 0))
    assert (first != sampled(1, 1)).sum() > 30
    assert (first != sampled(2, 0)).sum() > 30


# What is refused, and sizes


def test_unfitting_arguments_are_refused() -> None:
    hidden, table, forbidden = normal(3, 16), normal(20, 16), torch.zeros(2, 20, dtype=torch.uint8)
    heat, seed = torch.ones(1), torch.tensor([0, 0])
    with pytest.raises(ValueError, match="hidden"):
        predict_tokens(normal(3, 17), table, SOFTCAP, forbidden, heat, seed, 3)
    with pytest.raises(ValueError, match="table must be contiguous"):
        predict_tokens(hidden, table.half(), SOFTCAP, forbidden, heat, seed, 3)
    with pytest.raises(ValueError, match="forbidden must be"):
        predict_tokens(hidden, table, SOFTCAP, forbidden[:1], heat, seed, 3)
    with pytest.raises(ValueError, match="temperature must be"):
        predict_tokens(hidden, table, SOFTCAP, forbidden, heat.double(), seed, 3)
    with pytest.raises(ValueError, match="seed must be"):
        predict_tokens(hidden, table, SOFTCAP, forbidden, heat, seed.int(), 3)
    with pytest.raises(ValueError, match="pinned_ids must be"):
        predict_tokens(hidden, table, SOFTCAP, forbidden, heat, seed, 3, torch.zeros(2).long())
    with pytest.raises(ValueError, match="out of range"):
        predict_tokens(hidden, table, 0.0, forbidden, heat, seed, 3)


def test_splits_fill_whole_rounds() -> None:
    assert count_splits(22, 4096, 132) == 6  # 256 rows on an H100
    assert count_splits(11, 4096, 132) == 12  # 64 rows
    assert count_splits(44, 8192, 170) == 15  # a 5090: 660 of 680 places
    assert count_splits(1, 3, 132) == 3
    assert count_splits(1000, 4096, 4) == 1
