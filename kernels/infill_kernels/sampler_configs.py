"""Block sizes of the sampler's two products, per GPU architecture and number of rows.

A table and no tuning at run time, as in `moe_configs`. The numbers are estimates for 262,144 tokens
and hidden size 2816, each with its reason; none has been measured yet. Every entry compiles without
spills and fits its chip's shared memory (tests/kernels/test_sampler_compiles.py). Knows no kernel.
"""

import functools
from typing import NamedTuple

import torch

_MOST_SPLITS = 16  # each writes and reads all sums once: 16 of 256 x 2816 are 92 MB, mostly in L2


class ProductConfig(NamedTuple):
    """How one product is cut into programs. The head sums over columns, the other over tokens."""

    block_m: int  # rows
    block_n: int  # the head: tokens; soft embeddings: columns of the table
    block_k: int  # the head: columns of the table; soft embeddings: tokens
    num_warps: int
    num_stages: int


class Entry(NamedTuple):
    """One line of the table: the first that fits chip and rows is taken."""

    chips: tuple[int, ...]
    most_rows: float
    head: ProductConfig
    soft: ProductConfig
    why: str


def choose_config(chip: int, num_rows: int) -> Entry:
    """The first entry for a chip of `moe_configs.SHARED_MEMORY` that allows these many rows."""
    return next(e for e in BUILT_IN if chip in e.chips and num_rows <= e.most_rows)


@functools.cache
def count_processors(device: torch.device) -> int:
    """Multiprocessors of a GPU; 4 stand in for them on a CPU, for Triton's interpreter."""
    if device.type != "cuda":
        return 4
    return torch.cuda.get_device_properties(device).multi_processor_count


def count_splits(num_tiles: int, num_blocks: int, num_processors: int) -> int:
    """In how many parts to sum, so that `num_tiles` of them fill whole rounds of processors.

    The fewest of those with the shortest time, which is rounds / splits.

    Args:
        num_tiles: of the result, 1 or more.
        num_blocks: to be summed over; there are never more splits.
        num_processors: one program each at a time.
    """
    limit = min(num_blocks, max(_MOST_SPLITS, num_processors // num_tiles))
    return min(range(1, limit + 1), key=lambda n: (-(-num_tiles * n // num_processors) / n, n))


# The published head is 378 GFLOP for 256 rows and 1.48 GB of table: arithmetic and memory take
# about as long on a Hopper chip, so that at 64 rows and fewer memory alone counts.
BUILT_IN: tuple[Entry, ...] = (
    Entry(
        (90,),
        64,
        ProductConfig(64, 128, 64, 4, 4),
        ProductConfig(64, 256, 64, 8, 4),
        "64 rows are the least a Hopper warp group multiplies. Two programs of the head fit, with "
        "192 KB on their way, and one's end overlaps the other's loop. 256 columns make 11 tiles "
        "of 2816, so that each logit becomes a share 11 times and not 22.",
    ),
    Entry(
        (90,),
        float("inf"),
        ProductConfig(128, 256, 64, 8, 4),
        ProductConfig(128, 256, 64, 8, 4),
        "The largest tile of sums that registers hold, as tiles of 128 x 128 would read 5.9 GB "
        "through L2 and these 4.4. Two row tiles at 256 rows share the table through L2.",
    ),
    Entry(
        (80,),
        64,
        ProductConfig(64, 128, 64, 4, 4),
        ProductConfig(64, 256, 64, 8, 4),
        "As Hopper.",
    ),
    Entry(
        (80,),
        float("inf"),
        ProductConfig(128, 128, 64, 8, 4),
        ProductConfig(128, 256, 64, 8, 3),
        "The head's end spills with 128 x 256, and 98 KB leave one program a processor anyway.",
    ),
    Entry(
        (89, 120),
        32,
        ProductConfig(32, 128, 64, 4, 4),
        ProductConfig(32, 128, 64, 4, 4),
        "Memory alone counts up to 32 rows (5090: 47 GFLOP at 209 TFLOP/s against 1.48 GB at 1.79 "
        "TB/s); 99 KB of shared memory hold one program.",
    ),
    Entry(
        (89, 120),
        64,
        ProductConfig(64, 128, 64, 4, 4),
        ProductConfig(64, 256, 32, 8, 4),
        "Not to multiply rows that are not there: arithmetic counts from here on.",
    ),
    Entry(
        (89, 120),
        float("inf"),
        ProductConfig(128, 128, 64, 8, 3),
        ProductConfig(128, 128, 64, 8, 3),
        "Arithmetic counts; 8 warps leave each thread 64 sums and the compiler room.",
    ),
)
