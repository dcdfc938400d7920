"""After the head: merge the tiles' statistics of each row, find its argmax and draw its sample.

One small program a row. It reads the statistics and, of the logits, two tiles only: the one that
holds the largest and the one that the random number falls into. Knows no product.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.sampler import Predicted
from infill_kernels.sampler_head import HeadTiles, inverse_temperature, shifted

# ruff: noqa: N803, ANN202  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


def reduce_tiles(
    tiles: HeadTiles, temperature: Tensor, seed: Tensor, pinned_ids: Tensor | None
) -> Predicted:
    """Entropy, argmax and sample of each row, as `sampler.predict_from_logits` gives them.

    Deterministic. A row whose logits are no numbers gets ids that exist. Synchronizes: no.

    Args:
        tiles: of `head_product`, at the same temperature.
        temperature: [1] float32, >= 0.
        seed: [2] int64.
        pinned_ids: [N] int64, -1 where a row is free; None where all are.
    """
    num_rows, num_tiles = tiles.largest.shape
    device = tiles.logits.device
    entropy, largest, total = (
        torch.empty(num_rows, dtype=torch.float32, device=device) for _ in range(3)
    )
    argmax, sampled = (torch.empty(num_rows, dtype=torch.int64, device=device) for _ in range(2))
    predicted = Predicted(entropy, argmax, sampled, tiles.logits, largest, total)
    if not num_rows:
        return predicted  # a grid of no programs is an error
    _reduce_kernel[(num_rows,)](
        tiles.logits,
        tiles.largest,
        tiles.total,
        tiles.weighted,
        temperature,
        seed,
        argmax if pinned_ids is None else pinned_ids,
        entropy,
        argmax,
        sampled,
        largest,
        total,
        VOCAB=tiles.logits.shape[1],
        NUM_TILES=num_tiles,
        IS_PINNABLE=pinned_ids is not None,
        TILE=tiles.tile_tokens,
        BLOCK_T=triton.next_power_of_2(num_tiles),
        num_warps=4,
    )
    return predicted


@triton.jit
def _uniform(seed_ptr: tl.tensor, row: tl.tensor):
    """The same as `philox.uniform_rows`: float64 in [0, 1), a multiple of 2^-53."""
    draw = tl.load(seed_ptr + 1)
    nothing = row * 0
    first, second, _, _ = tl.philox(
        tl.load(seed_ptr), row, nothing, draw.to(tl.int32), (draw >> 32).to(tl.int32)
    )
    high = (first >> 5).to(tl.int64) << 26
    return (high + (second >> 6).to(tl.int64)).to(tl.float64) * 1.1102230246251565e-16


@triton.jit
def _where_reached(cumulative: tl.tensor, goal: tl.tensor, NUM: tl.constexpr):
    """The first index at which the sum exceeds `goal`; NUM if it never does."""
    index = tl.arange(0, NUM)
    return tl.min(tl.where(cumulative > goal, index, NUM))


@triton.jit
def _logits_of_tile(row_ptr: tl.tensor, tile: tl.tensor, VOCAB: tl.constexpr, TILE: tl.constexpr):
    tokens = tile * TILE + tl.arange(0, TILE)
    return tl.load(row_ptr + tokens, mask=tokens < VOCAB, other=float("-inf")).to(tl.float32)


@triton.jit
def _reduce_kernel(
    logits_ptr: tl.tensor,  # [N, V]
    tile_largest_ptr: tl.tensor,  # [N, tiles] float32, as the next two
    tile_total_ptr: tl.tensor,
    tile_weighted_ptr: tl.tensor,
    temperature_ptr: tl.tensor,  # [1] float32
    seed_ptr: tl.tensor,  # [2] int64
    pinned_ptr: tl.tensor,  # [N] int64
    entropy_ptr: tl.tensor,  # [N] float32
    argmax_ptr: tl.tensor,  # [N] int64
    sampled_ptr: tl.tensor,  # [N] int64
    largest_ptr: tl.tensor,  # [N] float32
    total_ptr: tl.tensor,  # [N] float32
    VOCAB: tl.constexpr,
    NUM_TILES: tl.constexpr,
    IS_PINNABLE: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK_T: tl.constexpr,
) -> None:
    row = tl.program_id(0)
    row_ptr = logits_ptr + row.to(tl.int64) * VOCAB
    is_greedy = tl.load(temperature_ptr) == 0.0
    inverse = inverse_temperature(temperature_ptr)

    # Merge the tiles, each brought from its own largest logit to the row's.
    tile = tl.arange(0, BLOCK_T)
    places = row.to(tl.int64) * NUM_TILES + tile
    is_tile = tile < NUM_TILES
    tile_largest = tl.load(tile_largest_ptr + places, mask=is_tile, other=-1e30)
    tile_total = tl.load(tile_total_ptr + places, mask=is_tile, other=0.0)
    tile_weighted = tl.load(tile_weighted_ptr + places, mask=is_tile, other=0.0)
    largest = tl.max(tile_largest)
    z = shifted(tile_largest, largest, inverse)
    factor = tl.exp(z)
    tile_total *= factor
    total = tl.sum(tile_total)
    weighted = tl.sum(tile_weighted * factor + z * tile_total)
    entropy = tl.maximum(tl.log(total) - weighted / total, 0.0)

    # The lowest of the largest logits.
    best_tile = tl.min(tl.where(tile_largest == largest, tile, NUM_TILES - 1))
    best_logits = _logits_of_tile(row_ptr, best_tile, VOCAB, TILE)
    within = tl.arange(0, TILE)
    argmax = tl.min(tl.where(best_logits == largest, within, TILE)) + best_tile * TILE
    argmax = tl.minimum(argmax, VOCAB - 1)

    # The tile, then the token, at which probabilities added up exceed the random number. In
    # float64, so that what is left to go within the tile is exact.
    tile_shares = tile_total.to(tl.float64)
    cumulative = tl.cumsum(tile_shares)
    whole = tl.sum(tl.where(tile == BLOCK_T - 1, cumulative, 0.0))
    goal = _uniform(seed_ptr, row) * whole
    drawn_tile = tl.minimum(_where_reached(cumulative, goal, BLOCK_T), NUM_TILES - 1)
    goal -= tl.sum(tl.where(tile == drawn_tile, cumulative - tile_shares, 0.0))
    logits = _logits_of_tile(row_ptr, drawn_tile, VOCAB, TILE)
    shares = tl.exp(shifted(logits, largest, inverse))
    cumulative = tl.cumsum(shares.to(tl.float64))
    # Added up again in another order, a tile may end a rounding short of its goal: its last token
    # with any probability is meant then.
    last = tl.max(tl.where(shares > 0.0, within, 0))
    drawn = tl.minimum(_where_reached(cumulative, goal, TILE), last) + drawn_tile * TILE
    drawn = tl.minimum(drawn, VOCAB - 1)

    sampled = tl.where(is_greedy, argmax, drawn).to(tl.int64)
    argmax = argmax.to(tl.int64)
    if IS_PINNABLE:
        pinned = tl.load(pinned_ptr + row)
        argmax = tl.where(pinned >= 0, pinned, argmax)
        sampled = tl.where(pinned >= 0, pinned, sampled)
        entropy = tl.where(pinned >= 0, 0.0, entropy)
    tl.store(entropy_ptr + row, entropy)
    tl.store(argmax_ptr + row, argmax)
    tl.store(sampled_ptr + row, sampled)
    tl.store(largest_ptr + row, largest)
    tl.store(total_ptr + row, total)
