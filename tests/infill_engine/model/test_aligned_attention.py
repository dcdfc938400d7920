"""Attention in aligned blocks: what plain attention gives, and the same bits in any pieces."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from infill_kernels import attend
from torch import Tensor

from infill_engine.model.aligned_attention import BLOCK_TOKENS, attend_aligned

NUM_TOKENS, CAPACITY = 150, 160
WINDOWS = [None, 1, 7, 40]


def tensors() -> tuple[Tensor, Tensor, Tensor]:
    """Queries of all tokens; keys and values with something finite behind the last."""
    generator = torch.Generator().manual_seed(4)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    query = draw(1, NUM_TOKENS, 4, 8)
    return query, draw(1, 2, CAPACITY, 8), draw(1, 2, CAPACITY, 8)


QUERY, KEYS, VALUES = tensors()


def in_pieces(cuts: list[int], window: int | None) -> Tensor:
    bounds = [0, *cuts, NUM_TOKENS]
    pieces = [
        attend_aligned(QUERY[:, begin:end], KEYS, VALUES, begin, window)
        for begin, end in itertools.pairwise(bounds)
    ]
    return torch.cat(pieces, dim=1)


@pytest.mark.parametrize("window", WINDOWS)
def test_is_plain_causal_attention(window: int | None) -> None:
    distance = torch.arange(NUM_TOKENS)[:, None] - torch.arange(NUM_TOKENS)
    mask = (distance >= 0) & (distance < (window or CAPACITY))
    seen = slice(0, NUM_TOKENS)
    plain = attend(QUERY.transpose(1, 2), KEYS[:, :, seen], VALUES[:, :, seen], mask)
    torch.testing.assert_close(in_pieces([], window), plain.transpose(1, 2))


@settings(deadline=None)
@given(st.sets(st.integers(1, NUM_TOKENS - 1), max_size=12).map(sorted), st.sampled_from(WINDOWS))
def test_the_same_bits_in_any_pieces(cuts: list[int], window: int | None) -> None:
    assert torch.equal(in_pieces(cuts, window), in_pieces([], window))


def test_what_lies_behind_the_last_token_is_not_looked_at() -> None:
    num_tokens = 2 * BLOCK_TOKENS - 3
    query = QUERY[:, :num_tokens]
    other = KEYS.clone()
    other[:, :, num_tokens:] = 1e3
    one = attend_aligned(query, KEYS, VALUES, 0, None)
    assert torch.equal(one, attend_aligned(query, other, VALUES, 0, None))
    other[:, :, num_tokens - 1] = 1e3
    assert not torch.equal(one, attend_aligned(query, other, VALUES, 0, None))
