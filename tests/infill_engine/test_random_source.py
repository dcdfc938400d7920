"""The sampler's random numbers."""

import pytest
import torch

from infill_engine.random_source import SeededRandom

CPU = torch.device("cpu")


def test_same_seed_same_draws() -> None:
    probabilities = torch.rand(50, 7).softmax(dim=-1)
    one, two, other = (SeededRandom(seed, 7, CPU) for seed in (3, 3, 4))
    assert torch.equal(one.token_ids((4, 9)), two.token_ids((4, 9)))
    drawn = one.sample(probabilities)
    assert torch.equal(drawn, two.sample(probabilities))
    assert not torch.equal(drawn, other.sample(probabilities))


def test_draws_follow_the_distribution_and_never_an_impossible_token() -> None:
    probabilities = torch.tensor([0.0, 0.5, 0.0, 0.3, 0.2, 0.0]).expand(20_000, 6)
    counts = torch.bincount(SeededRandom(0, 6, CPU).sample(probabilities), minlength=6) / 20_000
    assert counts[[0, 2, 5]].sum() == 0
    # Four standard deviations of a binomial share at 20,000 draws are 0.014.
    assert (counts - probabilities[0]).abs().max() < 0.015


def test_rounding_never_finds_a_token_behind_the_last_possible_one() -> None:
    source = SeededRandom(0, 4, CPU)
    almost_one = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0))
    probabilities = torch.tensor([[0.3, 0.7 - 1e-7, 0.0, 0.0]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "rand", lambda shape, **_: almost_one.expand(shape))
        assert source.sample(probabilities).item() == 1
