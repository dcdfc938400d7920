"""Second product of the sampler: mean embeddings, with the softmax in the product's beginning.

Reads the half-precision logits that the head left and turns each tile into exponentials on its way
to the tensor cores; probabilities are never stored. The vocabulary is split among programs, as rows
and columns alone give too few, and their float32 sums are added up in order by a second launch.
Knows no sampling.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

from infill_kernels.moe_configs import chip_of
from infill_kernels.sampler import Predicted
from infill_kernels.sampler_configs import (
    ProductConfig,
    choose_config,
    count_processors,
    count_splits,
)
from infill_kernels.sampler_head import inverse_temperature

# ruff: noqa: N803  (a kernel's constants are in capitals)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


def soft_embeddings(
    predicted: Predicted, table: Tensor, temperature: Tensor, scale: float
) -> Tensor:
    """`sampler.soft_embeddings`, with the same arguments.

    The exponentials, at most 1, are rounded to the table's dtype instead of the probabilities,
    which float16 could not hold where they are flat; sums are float32 and rounded once. The same
    GPU gives the same bits. Synchronizes: no; may be captured in a CUDA graph once it has run with
    as many rows before.

    Raises:
        ValueError: shapes or strides do not fit.
    """
    num_rows = len(predicted.logits)
    if not num_rows:
        return table.new_empty(0, table.shape[1])  # a grid of no programs is an error
    config = choose_config(chip_of(table.device), num_rows).soft
    num_tiles = -(-num_rows // config.block_m) * -(-table.shape[1] // config.block_n)
    num_blocks = -(-len(table) // config.block_k)
    num_splits = count_splits(num_tiles, num_blocks, count_processors(table.device))
    return split_product(predicted, table, temperature, scale, config, num_splits)


def split_product(
    predicted: Predicted,
    table: Tensor,
    temperature: Tensor,
    scale: float,
    config: ProductConfig,
    num_splits: int,
) -> Tensor:
    """The same with chosen sizes, for one row or more.

    Args:
        predicted: see `soft_embeddings`, as the next three.
        table: [V, E].
        temperature: [1] float32.
        scale: of the embeddings.
        config: block sizes, of rows, columns of the table and tokens.
        num_splits: in how many parts to sum over tokens, at most; 1 or more.
    """
    num_rows, vocab = predicted.logits.shape
    size = table.shape[1]
    if len(table) != vocab or not table.is_contiguous() or not predicted.logits.is_contiguous():
        raise ValueError(f"table {table.shape} and logits must be contiguous and of {vocab} tokens")
    if temperature.shape != (1,) or temperature.dtype != torch.float32:
        raise ValueError(f"temperature must be [1] of float32: {temperature}")
    out = torch.empty(num_rows, size, dtype=table.dtype, device=table.device)
    num_blocks = triton.cdiv(triton.cdiv(vocab, config.block_k), num_splits)
    num_splits = triton.cdiv(vocab, num_blocks * config.block_k)  # none without tokens
    sums = torch.empty(num_splits, num_rows, size, dtype=torch.float32, device=table.device)
    num_tiles = triton.cdiv(num_rows, config.block_m) * triton.cdiv(size, config.block_n)
    _split_kernel[(num_tiles * num_splits,)](
        predicted.logits,
        predicted.largest,
        table,
        temperature,
        sums,
        num_rows,
        num_blocks,
        VOCAB=vocab,
        SIZE=size,
        BLOCK_M=config.block_m,
        BLOCK_N=config.block_n,
        BLOCK_K=config.block_k,
        num_warps=config.num_warps,
        num_stages=config.num_stages,
    )
    block = min(1024, triton.next_power_of_2(size))
    _sum_kernel[(num_rows, triton.cdiv(size, block))](
        sums, predicted.total, out, num_rows, scale, num_splits, SIZE=size, BLOCK=block, num_warps=4
    )
    return out


@triton.jit
def _split_kernel(
    logits_ptr: tl.tensor,  # [N, V]
    largest_ptr: tl.tensor,  # [N] float32
    table_ptr: tl.tensor,  # [V, E]
    temperature_ptr: tl.tensor,  # [1] float32
    sums_ptr: tl.tensor,  # [splits, N, E] float32
    num_rows: tl.tensor,
    num_blocks: tl.tensor,  # of a split
    VOCAB: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    # Row tiles that read the same part of the table run side by side, then the column tiles that
    # read the same logits: each comes from memory once.
    num_row_tiles = tl.cdiv(num_rows, BLOCK_M)
    num_column_tiles: tl.constexpr = (SIZE + BLOCK_N - 1) // BLOCK_N
    place = tl.program_id(0) // num_row_tiles
    split = place // num_column_tiles
    rows = (tl.program_id(0) % num_row_tiles) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = (place % num_column_tiles) * BLOCK_N + tl.arange(0, BLOCK_N)
    is_row = rows < num_rows
    read_rows = tl.where(is_row, rows, 0)
    largest = tl.load(largest_ptr + read_rows)
    inverse = inverse_temperature(temperature_ptr)
    row_ptrs = logits_ptr + read_rows.to(tl.int64)[:, None] * VOCAB
    dtype: tl.constexpr = table_ptr.dtype.element_ty

    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    begin = split * num_blocks
    end = tl.minimum(begin + num_blocks, (VOCAB + BLOCK_K - 1) // BLOCK_K)
    for block in range(begin, end):
        tokens = block * BLOCK_K + tl.arange(0, BLOCK_K)
        table_ptrs = table_ptr + tokens.to(tl.int64)[:, None] * SIZE + columns[None, :]
        if VOCAB % BLOCK_K == 0:
            logits = tl.load(row_ptrs + tokens[None, :])
        else:
            logits = tl.load(row_ptrs + tokens[None, :], mask=(tokens < VOCAB)[None, :], other=0.0)
        if VOCAB % BLOCK_K == 0 and SIZE % BLOCK_N == 0:
            tile = tl.load(table_ptrs)
        else:
            mask = (tokens < VOCAB)[:, None] & (columns < SIZE)[None, :]
            tile = tl.load(table_ptrs, mask=mask, other=0.0)
        shares = tl.exp((logits.to(tl.float32) - largest[:, None]) * inverse)
        if VOCAB % BLOCK_K != 0:
            shares = tl.where((tokens < VOCAB)[None, :], shares, 0.0)
        total = tl.dot(shares.to(dtype), tile, total, input_precision="ieee")
    out_ptrs = sums_ptr + (split * num_rows + rows).to(tl.int64)[:, None] * SIZE + columns[None, :]
    tl.store(out_ptrs, total, mask=is_row[:, None] & (columns < SIZE)[None, :])


@triton.jit
def _sum_kernel(
    sums_ptr: tl.tensor,  # [splits, N, E] float32
    total_ptr: tl.tensor,  # [N] float32
    out_ptr: tl.tensor,  # [N, E]
    num_rows: tl.tensor,
    scale: tl.tensor,
    num_splits: tl.tensor,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = columns < SIZE
    total = tl.zeros((BLOCK,), tl.float32)
    for split in range(num_splits):
        places = sums_ptr + (split * num_rows + row) * SIZE + columns
        total += tl.load(places, mask=mask, other=0.0)
    total *= scale / tl.load(total_ptr + row)
    tl.store(out_ptr + row * SIZE + columns, total.to(out_ptr.dtype.element_ty), mask=mask)
