"""Tile sizes and number of splits of cached attention, per GPU architecture and head size.

A table and no tuning at run time, as for the mixture of experts (`moe_configs`, which also holds
the chips' limits). All numbers are estimates, each with its reason; every entry compiles without
spills and fits its chip's shared memory with Triton 3.6 and 3.7
(tests/kernels/test_attention_compiles.py). Knows no kernel.
"""

import functools
from typing import NamedTuple

import torch

_MOST_SPLITS = 16  # each writes and reads back a float32 row, four times what the result takes
_INTERPRETED_PROCESSORS = 8  # of a CPU: so that the interpreter sees splits too


class AttentionConfig(NamedTuple):
    """How the attention of one key-value head is cut into programs."""

    block_m: int  # rows of queries: tokens times the query heads that share the key-value head
    block_n: int  # keys at a time
    num_warps: int
    num_stages: int  # blocks of keys and values on their way from memory at once, and one in use


class Entry(NamedTuple):
    """One line of the table: the first that fits chip and head size is taken."""

    chips: tuple[int, ...]
    most_head_dim: int
    config: AttentionConfig
    why: str


def choose_attention_config(chip: int, head_dim: int) -> AttentionConfig:
    """The table's first entry for this chip (a key of `moe_configs.SHARED_MEMORY`).

    Raises:
        ValueError: nothing in the table serves this head size.
    """
    for entry in BUILT_IN:
        if chip in entry.chips and head_dim <= entry.most_head_dim:
            return entry.config
    raise ValueError(f"no configuration for chip {chip} and heads of {head_dim}")


def choose_splits(num_tiles: int, most_keys: int, block_n: int, num_processors: int) -> int:
    """Programs to share the keys of each tile: as many as fill the GPU once, or 1.

    Args:
        num_tiles: tiles of queries in all, > 0.
        most_keys: keys that a tile can ever see, > 0.
        block_n: keys at a time.
        num_processors: programs that run at once.
    """
    return max(1, min(num_processors // num_tiles, -(-most_keys // block_n), _MOST_SPLITS))


@functools.cache
def num_processors_of(device: torch.device) -> int:
    """Multiprocessors of a GPU; programs are too large for two on one."""
    if device.type != "cuda":
        return _INTERPRETED_PROCESSORS
    return torch.cuda.get_device_properties(device).multi_processor_count


_ALL = (80, 89, 90, 120)

# A canvas of 256 tokens has 512 rows for each of 8 key-value heads of 256 in sliding layers, and
# 2048 rows for each of 2 heads of 512 in full ones.
BUILT_IN: tuple[Entry, ...] = (
    Entry(
        _ALL,
        128,
        AttentionConfig(64, 32, 8, 2),
        "Smaller models only: what fits everywhere.",
    ),
    Entry(
        (90,),
        256,
        AttentionConfig(128, 32, 8, 3),
        "Two warp groups with 64 rows and an accumulator of 128 registers a thread each, 246 in "
        "all; queries and three blocks of keys and values take 160 KB. 64 keys spill 8 bytes.",
    ),
    Entry(
        (80, 89, 120),
        256,
        AttentionConfig(64, 32, 8, 2),
        "At most 84 KB and 224 registers; with 4 warps 64 rows spill.",
    ),
    Entry(
        (80, 90),
        512,
        AttentionConfig(32, 32, 8, 2),
        "98 KB. A canvas of 256 makes 128 programs, so that a second launch is seldom needed. 64 "
        "rows would read keys half as often but leave not one register; on sm_90, where they are a "
        "warp group's product that both groups repeat, Triton 3.6 spills 96 bytes.",
    ),
    Entry(
        (89, 120),
        512,
        AttentionConfig(32, 16, 8, 3),
        "97 of 99 KB. With 2 stages the assembler spills 8 bytes to reach 128 registers on sm_89.",
    ),
)
