"""Block sizes of products with one packed matrix, per GPU architecture, format and rows.

Unlike the experts' (`moe_configs`) all rows meet the same matrix: at 256 rows there is as much
arithmetic as memory traffic, and matrices are small (2.9 to 23 M weights), so that what counts is
to have a program for every multiprocessor. Estimates; no GPU has run them. Every entry compiles
without spills and fits its chip's shared memory (tests/kernels/test_moe_compiles.py). Knows no
kernel.
"""

from typing import NamedTuple

from infill_kernels.moe_configs import TileConfig, table_format
from infill_kernels.moe_weights import ExpertMatrices, WeightFormat


class LinearEntry(NamedTuple):
    """One line of the table: the first that fits chip, format and rows is taken."""

    chips: tuple[int, ...]
    formats: tuple[WeightFormat, ...]
    most_rows: float
    linear: TileConfig
    gated: TileConfig  # of gate and up together, `block_n` rows of each
    why: str


def choose_tile(chip: int, weights: ExpertMatrices, num_rows: int) -> LinearEntry:
    """The first entry for this chip and format that allows as many rows.

    Args:
        chip: a key of `moe_configs.SHARED_MEMORY`.
        weights: in any format but dense.
        num_rows: of x, 1 or more.

    Raises:
        ValueError: nothing in the table fits.
    """
    weight_format = table_format(weights.format)
    for entry in ENTRIES:
        if chip in entry.chips and weight_format in entry.formats and num_rows <= entry.most_rows:
            return entry
    raise ValueError(f"no configuration for chip {chip} and {weights.format!r}")


_FP8, _INT4 = WeightFormat.FLOAT8, WeightFormat.INT4
_ANY = float("inf")

# Rows of the published matrices are multiples of 64: 1024 to 8192 of attention, 2112 = 33 * 64 and
# 2816 = 44 * 64 of the dense MLP.
ENTRIES: tuple[LinearEntry, ...] = (
    LinearEntry(
        (80, 89, 90, 120),
        (_FP8, _INT4),
        16,
        TileConfig(16, 32, 64, 4, 6, True),
        TileConfig(16, 16, 64, 4, 6, True),
        "Weights alone count. 32 rows of them a program: 88 programs for the 2816 of o_proj, 128 "
        "for 4096 of q_proj.",
    ),
    LinearEntry(
        (80, 89, 90, 120),
        (_FP8, _INT4),
        64,
        TileConfig(32, 32, 64, 4, 5),
        TileConfig(32, 16, 64, 4, 5, True),
        "As above, with up to two blocks of rows for twice the programs; swapped, nvfp4 would "
        "spill.",
    ),
    LinearEntry(
        (80, 89, 90, 120),
        (_FP8, _INT4),
        _ANY,
        TileConfig(64, 64, 64, 4, 3, True),
        TileConfig(64, 32, 64, 4, 3, True),
        "256 rows are four blocks: 176 programs for 2816 rows of weights, 256 for 4096. 64 rows "
        "share one unpacking, and blocks of one tile run side by side, so that weights come from "
        "memory once.",
    ),
)
