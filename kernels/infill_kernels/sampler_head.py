"""First product of the sampler: the tied head, with each vocabulary tile's statistics in its end.

Logits leave the chip once, in half precision; what sampling needs of them is summed up while they
are still in registers. `sampler_reduce` merges the tiles' statistics. Knows no sampling.
"""

from typing import NamedTuple

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.sampler import stored_dtype
from infill_kernels.sampler_configs import ProductConfig

# ruff: noqa: N803, ANN201, ANN202  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false

# A tile's end takes more registers than its sums: with 256 tokens at once, 616 bytes a thread were
# spilled on sm_90.
_MOST_TILE_TOKENS = 128


class HeadTiles(NamedTuple):
    """Logits and, for each row and tile of `tile_tokens` tokens, its statistics.

    With z = (logit - the tile's largest) / temperature, temperature 1 for 0.
    """

    logits: Tensor  # [N, V] float16 (float32 in tests); -inf where forbidden
    largest: Tensor  # [N, tiles] float32 logit; -1e30 where all are forbidden
    total: Tensor  # [N, tiles] float32, sum of e^z
    weighted: Tensor  # [N, tiles] float32, sum of z e^z
    tile_tokens: int


def head_product(
    hidden: Tensor,
    table: Tensor,
    softcap: float,
    forbidden: Tensor,
    temperature: Tensor,
    canvas_length: int,
    config: ProductConfig,
) -> HeadTiles:
    """Softcapped logits and their statistics by tile, in one launch.

    Deterministic; the raw scores are never rounded. Synchronizes: no. Arguments are those of
    `sampler.predict_tokens`, checked there; `config` has the block sizes, of rows, tokens and
    columns of the table, where more than 128 tokens are two tiles.
    """
    num_rows, size = hidden.shape
    vocab = len(table)
    tile_tokens = min(config.block_n, _MOST_TILE_TOKENS)
    num_tiles = -(-vocab // tile_tokens)
    dtype, device = stored_dtype(hidden.dtype), hidden.device
    logits = torch.empty(num_rows, vocab, dtype=dtype, device=device)
    largest, total, weighted = (
        torch.empty(num_rows, num_tiles, dtype=torch.float32, device=device) for _ in range(3)
    )
    tiles = HeadTiles(logits, largest, total, weighted, tile_tokens)
    if not num_rows:
        return tiles  # a grid of no programs is an error
    num_row_tiles = triton.cdiv(num_rows, config.block_m)
    _head_kernel[(num_row_tiles * triton.cdiv(vocab, config.block_n),)](
        hidden,
        table,
        forbidden,
        temperature,
        logits,
        largest,
        total,
        weighted,
        hidden.stride(0),
        num_rows,
        canvas_length,
        softcap,
        VOCAB=vocab,
        SIZE=size,
        BLOCK_M=config.block_m,
        TILE=tile_tokens,
        TILES_AT_ONCE=config.block_n // tile_tokens,
        BLOCK_K=config.block_k,
        num_warps=config.num_warps,
        num_stages=config.num_stages,
    )
    return tiles


@triton.jit
def shifted(logits: tl.tensor, largest: tl.tensor, inverse: tl.tensor):
    """(logits - largest) * inverse, but -1000 at least: e to it is 0 and its product with 0 too."""
    return tl.maximum((logits - largest) * inverse, -1000.0)


@triton.jit
def inverse_temperature(temperature_ptr: tl.tensor):
    """1 / temperature, 1 for 0."""
    temperature = tl.load(temperature_ptr)
    return 1.0 / tl.where(temperature == 0.0, 1.0, temperature)


@triton.jit
def _finish_tile(
    raw: tl.tensor,  # [BLOCK_M, TILE] float32
    rows: tl.tensor,
    tile: tl.tensor,
    forbidden_ptr: tl.tensor,
    inverse: tl.tensor,
    logits_ptr: tl.tensor,
    largest_ptr: tl.tensor,
    total_ptr: tl.tensor,
    weighted_ptr: tl.tensor,
    num_rows: tl.tensor,
    canvas_length: tl.tensor,
    softcap: tl.tensor,
    VOCAB: tl.constexpr,
    TILE: tl.constexpr,
):
    """Softcap, ban, round and store the logits of one tile, and its statistics."""
    is_row = rows < num_rows
    tokens = tile * TILE + tl.arange(0, TILE)
    is_token = tokens < VOCAB
    # Bit 0 bans at position 0, bit 1 elsewhere.
    bans = tl.load(forbidden_ptr + tokens, mask=is_token, other=1).to(tl.int32)
    bans |= tl.load(forbidden_ptr + VOCAB + tokens, mask=is_token, other=1).to(tl.int32) << 1
    bit = tl.where(rows % canvas_length == 0, 1, 2)
    # softcap * tanh(raw / softcap), as tanh(x) = 2 sigmoid(2 x) - 1.
    capped = softcap * (2.0 * tl.sigmoid(raw * (2.0 / softcap)) - 1.0)
    is_banned = (bans[None, :] & bit[:, None]) != 0
    stored = tl.where(is_banned, float("-inf"), capped).to(logits_ptr.dtype.element_ty)
    out_ptrs = logits_ptr + rows.to(tl.int64)[:, None] * VOCAB + tokens[None, :]
    tl.store(out_ptrs, stored, mask=is_row[:, None] & is_token[None, :])

    logits = stored.to(tl.float32)  # as whoever reads them again will see them
    largest = tl.maximum(tl.max(logits, axis=1), -1e30)
    z = shifted(logits, largest[:, None], inverse)
    exponentials = tl.exp(z)
    places = rows.to(tl.int64) * ((VOCAB + TILE - 1) // TILE) + tile
    tl.store(largest_ptr + places, largest, mask=is_row)
    tl.store(total_ptr + places, tl.sum(exponentials, axis=1), mask=is_row)
    tl.store(weighted_ptr + places, tl.sum(z * exponentials, axis=1), mask=is_row)


@triton.jit
def _head_kernel(
    hidden_ptr: tl.tensor,  # [N, E]
    table_ptr: tl.tensor,  # [V, E]
    forbidden_ptr: tl.tensor,  # [2, V] uint8
    temperature_ptr: tl.tensor,  # [1] float32
    logits_ptr: tl.tensor,  # [N, V]
    largest_ptr: tl.tensor,  # [N, tiles] float32, as the next two
    total_ptr: tl.tensor,
    weighted_ptr: tl.tensor,
    hidden_stride: tl.tensor,
    num_rows: tl.tensor,
    canvas_length: tl.tensor,
    softcap: tl.tensor,
    VOCAB: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    TILE: tl.constexpr,
    TILES_AT_ONCE: tl.constexpr,  # 1 or 2
    BLOCK_K: tl.constexpr,
) -> None:
    # The row tiles of one piece of the vocabulary run side by side, so that the table, far larger
    # than L2, is read from memory once.
    num_row_tiles = tl.cdiv(num_rows, BLOCK_M)
    piece = tl.program_id(0) // num_row_tiles
    rows = (tl.program_id(0) % num_row_tiles) * BLOCK_M + tl.arange(0, BLOCK_M)
    # Tokens of two tiles take turns, so that the sums come apart within each thread.
    turn = tl.arange(0, TILE * TILES_AT_ONCE)
    tokens = piece * (TILE * TILES_AT_ONCE) + turn // TILES_AT_ONCE
    tokens += (turn % TILES_AT_ONCE) * TILE
    # What lies beyond is read as row 0: nothing comes of it.
    row_ptrs = hidden_ptr + tl.where(rows < num_rows, rows, 0).to(tl.int64)[:, None] * hidden_stride
    token_ptrs = table_ptr + tl.where(tokens < VOCAB, tokens, 0).to(tl.int64)[:, None] * SIZE
    raw = tl.zeros((BLOCK_M, TILE * TILES_AT_ONCE), tl.float32)
    for begin in range(0, SIZE, BLOCK_K):
        k = begin + tl.arange(0, BLOCK_K)
        if SIZE % BLOCK_K == 0:
            x = tl.load(row_ptrs + k[None, :])
            w = tl.load(token_ptrs + k[None, :])
        else:
            x = tl.load(row_ptrs + k[None, :], mask=(k < SIZE)[None, :], other=0.0)
            w = tl.load(token_ptrs + k[None, :], mask=(k < SIZE)[None, :], other=0.0)
        raw = tl.dot(x, tl.trans(w), raw, input_precision="ieee")

    inverse = inverse_temperature(temperature_ptr)
    if TILES_AT_ONCE == 1:
        _finish_tile(
            raw, rows, piece, forbidden_ptr, inverse, logits_ptr, largest_ptr, total_ptr,
            weighted_ptr, num_rows, canvas_length, softcap, VOCAB, TILE,
        )  # fmt: skip
    else:
        first, second = tl.split(raw.reshape(BLOCK_M, TILE, 2))
        _finish_tile(
            first, rows, 2 * piece, forbidden_ptr, inverse, logits_ptr, largest_ptr, total_ptr,
            weighted_ptr, num_rows, canvas_length, softcap, VOCAB, TILE,
        )  # fmt: skip
        if (2 * piece + 1) * TILE < VOCAB:
            _finish_tile(
                second, rows, 2 * piece + 1, forbidden_ptr, inverse, logits_ptr, largest_ptr,
                total_ptr, weighted_ptr, num_rows, canvas_length, softcap, VOCAB, TILE,
            )  # fmt: skip
