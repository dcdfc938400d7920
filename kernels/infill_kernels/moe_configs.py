"""Block sizes of the two grouped products, per GPU architecture, weight format and load.

A table and no tuning at run time: a first request must not wait for hundreds of compilations, and a
CUDA graph cannot. The numbers below are estimates for 128 experts, hidden size 2816 and expert size
704, each with its reason; the only outside measurement behind them is named where it is used. What
a benchmark finds on a machine goes into `moe_tuned.json` beside this file (`read_entries` gives the
format) and comes first. Every entry compiles without spills and fits its chip's shared memory
(tests/kernels/test_moe_compiles.py). Knows no kernel.
"""

import functools
import json
from pathlib import Path
from typing import NamedTuple

import torch

from infill_kernels.moe_weights import ExpertMatrices, WeightFormat

TUNED_FILE = Path(__file__).parent / "moe_tuned.json"
SHARED_MEMORY = {80: 166_912, 89: 101_376, 90: 232_448, 120: 101_376}
"""Bytes one program may use, by chip (CUDA programming guide, maximum per thread block)."""
_SMALLEST_K = 16  # of a tensor-core product


class TileConfig(NamedTuple):
    """How one grouped product is cut into programs."""

    block_m: int  # rows of an expert
    block_n: int  # rows of its matrix; the first product takes as many of gate and of up
    block_k: int
    num_warps: int
    num_stages: int  # tiles on their way from memory at once, and one in use
    is_swapped: bool = False  # see moe_tiles._add_product

    def fitted(self, weights: ExpertMatrices) -> "TileConfig":
        """The same with `block_k` lowered to what packed columns and their groups allow."""
        block_k = self.block_k
        while block_k > _SMALLEST_K and not weights.takes(block_k):
            block_k //= 2
        return self._replace(block_k=block_k)

    def check(self, weights: ExpertMatrices, block_m: int) -> None:
        """Raise ValueError unless blocks were sorted for this and packed columns divide evenly."""
        if self.block_m != block_m:
            raise ValueError(f"blocks have {block_m} rows, the configuration {self.block_m}")
        if not weights.takes(self.block_k):
            groups = f"{weights.num_columns} columns in groups of {weights.group}"
            raise ValueError(f"block_k {self.block_k} does not fit {groups}, {weights.format.name}")


class MoeConfig(NamedTuple):
    """Both products of one call; `block_m` is the same, as they share the sorted blocks."""

    gate_up: TileConfig
    down: TileConfig


class Entry(NamedTuple):
    """One line of the table: the first that fits chip, format and load is taken."""

    chip: int
    format: WeightFormat
    most_pairs: float  # rows * K / X up to which it holds; 16 is a canvas of 256
    config: MoeConfig
    why: str


def chip_of(device: torch.device) -> int:
    """The table's architecture for a device: the newest one not newer than the GPU.

    8.6 and 8.7 count as 8.9, for its smaller shared memory; a CPU (Triton's interpreter) as 9.0.
    """
    if device.type != "cuda":
        return 90
    major, minor = torch.cuda.get_device_capability(device)
    if (major, minor) == (8, 0):
        return 80
    return 89 if major == 8 else max(chip for chip in SHARED_MEMORY if chip <= 10 * major + minor)


def choose_config(
    chip: int,
    gate_up: ExpertMatrices,
    down: ExpertMatrices,
    pairs_per_expert: float,
    entries: tuple[Entry, ...] | None = None,
) -> MoeConfig:
    """The first entry for this chip and format that allows this load, fitted to both matrices.

    Args:
        chip: a key of `SHARED_MEMORY`.
        gate_up: [X, 2I, E].
        down: [X, E, I], in the same format.
        pairs_per_expert: rows * K / X.
        entries: the table; None for the tuned and then the built-in one.

    Raises:
        ValueError: the formats differ, or nothing in the table fits.
    """
    if gate_up.format != down.format:
        raise ValueError(f"formats differ: {gate_up.format!r} and {down.format!r}")
    weight_format = table_format(gate_up.format)
    for entry in _all_entries() if entries is None else entries:
        if (entry.chip, entry.format) == (chip, weight_format) and (
            pairs_per_expert <= entry.most_pairs
        ):
            config = entry.config
            return MoeConfig(config.gate_up.fitted(gate_up), config.down.fitted(down))
    raise ValueError(f"no configuration for chip {chip} and {gate_up.format!r}")


def table_format(weight_format: WeightFormat) -> WeightFormat:
    """Whose entries serve a format: all four-bit ones are as many bytes and unpacked alike."""
    return min(weight_format, WeightFormat.INT4)


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Read a list of {chip, format, most_pairs, gate_up: [...], down: [...], why}.

    `format` is a name of `WeightFormat`; `gate_up` and `down` are a `TileConfig`'s fields in order.

    Raises:
        ValueError: the two products differ in `block_m`.
    """
    entries: list[Entry] = []
    for line in json.loads(path.read_text(encoding="utf-8")):
        config = MoeConfig(TileConfig(*line["gate_up"]), TileConfig(*line["down"]))
        if config.gate_up.block_m != config.down.block_m:
            raise ValueError(f"{path}: block_m differs between the products in {line}")
        weight_format = WeightFormat[line["format"]]
        entries.append(Entry(line["chip"], weight_format, line["most_pairs"], config, line["why"]))
    return tuple(entries)


@functools.cache
def _all_entries() -> tuple[Entry, ...]:
    tuned = read_entries(TUNED_FILE) if TUNED_FILE.exists() else ()
    return tuned + BUILT_IN


_DENSE, _FP8, _INT4 = WeightFormat.DENSE, WeightFormat.FLOAT8, WeightFormat.INT4
_ANY = float("inf")


def _entries(
    chips: tuple[int, ...],
    weight_format: WeightFormat,
    most_pairs: float,
    gate_up: TileConfig,
    down: TileConfig,
    why: str,
) -> tuple[Entry, ...]:
    config = MoeConfig(gate_up, down)
    return tuple(Entry(chip, weight_format, most_pairs, config, why) for chip in chips)


# A canvas of 256 tokens brings each expert 16 rows, give or take 4; one of 32 tokens 2 rows.
# 704 = 11 * 64, so 64 rows of gate and of up divide it and 128 would not; 2816 = 22 * 128.
BUILT_IN: tuple[Entry, ...] = (
    *_entries(
        (80, 90),
        _DENSE,
        8,
        TileConfig(16, 32, 128, 4, 4),
        TileConfig(16, 64, 64, 4, 5),
        "Weights alone count: each byte read once, 22 tiles an expert so that even 8 touched "
        "experts fill the chip. The first product's sizes are those vLLM tuned on an H100 for 128 "
        "experts of 704 up to 128 rows (16 x 64 x 128, 4 warps, 4 stages).",
    ),
    *_entries(
        (80, 90),
        _DENSE,
        24,
        TileConfig(32, 64, 64, 4, 4),
        TileConfig(32, 128, 64, 4, 4),
        "32 rows hold nearly every expert's 16 +- 4, so each weight is read once; 64 + 64 rows of "
        "weights halve how often x is read again. Two programs fit a chip's 164 KB, with 96 KB on "
        "their way (est.; 25 KB would cover 1 us at 3.35 TB/s).",
    ),
    *_entries(
        (80, 90),
        _DENSE,
        64,
        TileConfig(64, 64, 64, 4, 4),
        TileConfig(64, 128, 64, 4, 4),
        "From 512 rows on vLLM's tuning took 64 rows; on Hopper they are a warp group's product.",
    ),
    *_entries(
        (80, 90),
        _DENSE,
        _ANY,
        TileConfig(128, 64, 64, 8, 4),
        TileConfig(128, 128, 64, 8, 3),
        "At 2048 rows experts have 128: arithmetic counts, and larger tiles read x and weights "
        "less often (vLLM's tuning took 128 x 256 x 64, 8 warps, from 1536 rows on).",
    ),
    *_entries(
        (89, 120),
        _DENSE,
        24,
        TileConfig(16, 32, 64, 4, 5),
        TileConfig(16, 64, 64, 4, 5),
        "99 KB of shared memory: 40 KB a program leave room for two. The full model does not fit "
        "such a card in bfloat16; this serves smaller ones.",
    ),
    *_entries(
        (89, 120),
        _DENSE,
        _ANY,
        TileConfig(64, 32, 64, 4, 4),
        TileConfig(64, 64, 64, 4, 4),
        "As above, with rows enough for tiles of 64.",
    ),
    *_entries(
        (90,),
        _FP8,
        8,
        TileConfig(16, 64, 64, 4, 6, True),
        TileConfig(16, 128, 64, 4, 6, True),
        "Swapped, so that unpacked weights go to the tensor core's 64-row side: 4.1 "
        "instructions a weight, where 1 byte a weight at 3.35 TB/s leaves time for 8.",
    ),
    *_entries(
        (90,),
        _FP8,
        24,
        TileConfig(32, 64, 64, 4, 6, True),
        TileConfig(32, 128, 64, 4, 6, True),
        "As above; 32 rows hold nearly every expert's 16 +- 4, so that weights are unpacked once.",
    ),
    *_entries(
        (90,),
        _FP8,
        _ANY,
        TileConfig(64, 64, 64, 4, 5, True),
        TileConfig(64, 128, 64, 4, 5, True),
        "64 rows share one unpacking; 128 would leave no registers for it.",
    ),
    *_entries(
        (90,),
        _INT4,
        8,
        TileConfig(16, 64, 64, 4, 8, True),
        TileConfig(16, 128, 64, 4, 8, True),
        "Swapped: 4.6 instructions a weight against 6.9. Half a byte a weight at 3.35 TB/s leaves "
        "time for 5, so unpacking and memory are about even (est.). Tiles are small: 8 stages.",
    ),
    *_entries(
        (90,),
        _INT4,
        24,
        TileConfig(32, 64, 64, 4, 6, True),
        TileConfig(32, 128, 64, 4, 6, True),
        "As above; 32 rows so that weights are unpacked once.",
    ),
    *_entries(
        (90,),
        _INT4,
        _ANY,
        TileConfig(64, 64, 64, 4, 5, True),
        TileConfig(64, 128, 64, 4, 5, True),
        "64 rows share one unpacking; 128 would leave no registers for it.",
    ),
    *_entries(
        (80, 89, 120),
        _FP8,
        24,
        TileConfig(16, 64, 64, 4, 5, True),
        TileConfig(16, 128, 64, 4, 5, True),
        "Arithmetic in bfloat16 is as dear as memory here (5090: 209 TFLOP/s against 1.79 TB/s), "
        "and 16-row blocks waste 1.4 x of it at 256 rows where 32-row ones waste 2 x. Swapped: "
        "3.0 instructions a weight.",
    ),
    *_entries(
        (80, 89, 120),
        _FP8,
        _ANY,
        TileConfig(64, 64, 64, 4, 3, True),
        TileConfig(64, 64, 64, 4, 3, True),
        "Rows enough for one unpacking to serve 64 of them; 128 columns out would spill registers.",
    ),
    *_entries(
        (80, 89, 120),
        _INT4,
        24,
        TileConfig(16, 64, 64, 4, 6),
        TileConfig(16, 128, 64, 4, 6),
        "As fp8: 16-row blocks for arithmetic's sake. 4.4 instructions a weight (swapped 4.6), "
        "where a 5090's memory leaves time for 15.",
    ),
    *_entries(
        (80, 89, 120),
        _INT4,
        _ANY,
        TileConfig(64, 64, 64, 4, 3, True),
        TileConfig(64, 64, 64, 4, 3, True),
        "Rows enough for one unpacking to serve 64 of them.",
    ),
)
