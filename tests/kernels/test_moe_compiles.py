"""Every configuration of the mixture of experts compiles, unspilled, for the chip it is meant for.

At the published model's sizes, as these are constants of the kernels. That results are right is
for tests/kernels/interpreted; how fast they come only a GPU can say.
"""

import sys
from typing import NamedTuple

import pytest

pytest.importorskip("triton", reason="Triton is installed on Linux only")
if sys.platform != "linux":
    pytest.skip("Triton's assembler runs on Linux", allow_module_level=True)

from infill_kernels.moe_blocks import _sort_kernel
from infill_kernels.moe_combine import _combine_kernel, _sum_kernel
from infill_kernels.moe_configs import BUILT_IN, SHARED_MEMORY, Entry, TileConfig, table_format
from infill_kernels.moe_down import _down_kernel
from infill_kernels.moe_gate_up import _gate_up_kernel
from infill_kernels.moe_router import _choose_kernel
from infill_kernels.moe_weights import WeightFormat
from infill_kernels.packed_linear_configs import ENTRIES, LinearEntry

from tests.kernels.ahead_of_time import Footprint, compile_for

HIDDEN, INNER, EXPERTS, CHOSEN = 2816, 704, 128, 8
DENSE_INNER, QUERY = 2112, 4096
WARPS_PER_CHIP_REGISTERS = 65_536 // 32


class Sizes(NamedTuple):
    """Of one matrix, with the scales that a release brings."""

    rows: int
    columns: int
    group: int  # `columns` for one scale a row


GROUPS = {WeightFormat.INT4: 64, WeightFormat.INT4_ZEROS: 64, WeightFormat.NVFP4: 16}


def published(columns: int, rows: int, weight_format: WeightFormat, group: int = 0) -> Sizes:
    return Sizes(rows, columns, group or GROUPS.get(weight_format, columns))


def product_arguments(weight_format: WeightFormat) -> dict[str, str]:
    """Four-bit weights have words of scales, fp8 a number a row."""
    values = "*bf16" if weight_format == WeightFormat.DENSE else "*i32"
    scales = {WeightFormat.DENSE: "*bf16", WeightFormat.FLOAT8: "*fp32"}.get(weight_format, "*i32")
    blocks = {"pairs_ptr": "*i32", "experts_ptr": "*i32", "num_blocks_ptr": "*i32"}
    numbers = {"x_stride": "i32", "num_pairs": "i32", "two_units": "i32"}
    rows = {"x_ptr": "*bf16", "inner_ptr": "*bf16", "out_ptr": "*bf16", "routing_ptr": "*fp32"}
    return {"weight_ptr": values, "scale_ptr": scales, **blocks, **numbers, **rows}


def compile_product(
    chip: int,
    weight_format: WeightFormat,
    is_gated: bool,
    config: TileConfig,
    sizes: Sizes,
    is_sorted: bool = True,
) -> Footprint:
    constants = {
        "INNER": sizes.rows // 2 if is_gated else sizes.columns,
        "SIZE": sizes.columns if is_gated else sizes.rows,
        "BLOCK_M": config.block_m,
        "BLOCK_N": config.block_n,
        "BLOCK_K": config.block_k,
        "FORMAT": int(weight_format),
        "GROUP": sizes.group,
        "IS_SWAPPED": config.is_swapped,
        "IS_SORTED": is_sorted,
    }
    if is_gated:
        constants["NUM_CHOSEN"] = CHOSEN if is_sorted else 1
    kernel = _gate_up_kernel if is_gated else _down_kernel
    arguments = {
        name: kind
        for name, kind in product_arguments(weight_format).items()
        if name in kernel.arg_names
    }
    return compile_for(chip, kernel, arguments, constants, config.num_warps, config.num_stages)


def check_product(footprint: Footprint, chip: int, config: TileConfig) -> None:
    check(footprint, chip, config.num_warps)
    loop = footprint.ttgir[footprint.ttgir.index("scf.for") :]
    loop = loop[: loop.index("scf.yield")]
    assert "tt.load" not in loop, "a load within the loop makes each turn wait for memory"
    assert "async_copy_global_to_local" in loop


def check(footprint: Footprint, chip: int, num_warps: int) -> None:
    assert footprint.stack_bytes == 0, "registers are spilled"
    assert footprint.shared_bytes <= SHARED_MEMORY[chip]
    assert footprint.registers * num_warps <= WARPS_PER_CHIP_REGISTERS


def name(entry: Entry) -> str:
    return f"sm_{entry.chip}-{entry.format.name.lower()}-{entry.most_pairs:g}"


FOUR_BITS = [
    (WeightFormat.INT4, 32),
    (WeightFormat.INT4_ZEROS, 32),
    (WeightFormat.INT4_ZEROS, 64),
    (WeightFormat.NVFP4, 16),
]
SHAPES = {True: (HIDDEN, 2 * INNER), False: (INNER, HIDDEN)}
DENSE_SHAPES = {True: (HIDDEN, 2 * DENSE_INNER), False: (QUERY, HIDDEN)}
PRODUCTS = pytest.mark.parametrize("is_gated", [True, False], ids=["gate_up", "down"])


@pytest.mark.parametrize("entry", BUILT_IN, ids=name)
@PRODUCTS
def test_products(entry: Entry, is_gated: bool) -> None:
    config = entry.config.gate_up if is_gated else entry.config.down
    sizes = published(*SHAPES[is_gated], entry.format)
    footprint = compile_product(entry.chip, entry.format, is_gated, config, sizes)
    check_product(footprint, entry.chip, config)


@pytest.mark.parametrize(
    "entry", [entry for entry in BUILT_IN if entry.format == WeightFormat.INT4], ids=name
)
@pytest.mark.parametrize(("weight_format", "group"), FOUR_BITS)
@PRODUCTS
def test_products_of_other_four_bits(
    entry: Entry, weight_format: WeightFormat, group: int, is_gated: bool
) -> None:
    config = entry.config.gate_up if is_gated else entry.config.down
    sizes = published(*SHAPES[is_gated], weight_format, group)
    footprint = compile_product(entry.chip, weight_format, is_gated, config, sizes)
    check_product(footprint, entry.chip, config)


@pytest.mark.parametrize("chip", SHARED_MEMORY)
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.most_rows:g}")
@pytest.mark.parametrize(("weight_format", "group"), [(WeightFormat.FLOAT8, 0), *FOUR_BITS])
@PRODUCTS
def test_products_of_one_matrix(
    chip: int, entry: LinearEntry, weight_format: WeightFormat, group: int, is_gated: bool
) -> None:
    if chip not in entry.chips or table_format(weight_format) not in entry.formats:
        return
    config = entry.gated if is_gated else entry.linear
    sizes = published(*DENSE_SHAPES[is_gated], weight_format, group)
    footprint = compile_product(chip, weight_format, is_gated, config, sizes, is_sorted=False)
    check_product(footprint, chip, config)


@pytest.mark.parametrize("chip", SHARED_MEMORY)
def test_the_other_kernels(chip: int) -> None:
    rows = {"scores_ptr": "*bf16", "scale_ptr": "*bf16", "weights_ptr": "*fp32"}
    rows |= {"expert_idx_ptr": "*i64", "num_rows": "i32", "scores_stride": "i32"}
    sizes = {"NUM_EXPERTS": EXPERTS, "NUM_CHOSEN": CHOSEN, "BLOCK_X": EXPERTS, "BLOCK_C": CHOSEN}
    check(compile_for(chip, _choose_kernel, rows, {**sizes, "ROWS": 4}, 4), chip, 4)

    pairs = {"expert_idx_ptr": "*i64", "pairs_ptr": "*i32", "experts_ptr": "*i32"}
    pairs |= {"num_blocks_ptr": "*i32", "num_pairs": "i32"}
    sizes = {"NUM_EXPERTS": EXPERTS, "NUM_BINS": EXPERTS, "BLOCK_M": 32, "CHUNK": 2048}
    check(compile_for(chip, _sort_kernel, pairs, sizes, 8), chip, 8)

    choices = {"choices_ptr": "*bf16", "out_ptr": "*bf16"}
    sizes = {"NUM_CHOSEN": CHOSEN, "SIZE": HIDDEN, "BLOCK": 1024}
    check(compile_for(chip, _sum_kernel, choices, sizes, 4), chip, 4)

    names = ("dense", "residual", "dense_norm", "sparse_norm", "branch_norm", "layer_scalar")
    choices |= {f"{name}_ptr": "*bf16" for name in names}
    choices |= {"dense_stride": "i32", "residual_stride": "i32", "eps": "fp32"}
    check(compile_for(chip, _combine_kernel, choices, {**sizes, "BLOCK": 4096}, 8), chip, 8)
