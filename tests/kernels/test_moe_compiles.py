"""Every configuration of the mixture of experts compiles, unspilled, for the chip it is meant for.

At the published model's sizes, as these are constants of the kernels. That results are right is
for tests/kernels/interpreted; how fast they come only a GPU can say.
"""

import sys

import pytest

pytest.importorskip("triton", reason="Triton is installed on Linux only")
if sys.platform != "linux":
    pytest.skip("Triton's assembler runs on Linux", allow_module_level=True)

from infill_kernels.moe_blocks import _sort_kernel
from infill_kernels.moe_combine import _combine_kernel, _sum_kernel
from infill_kernels.moe_configs import BUILT_IN, SHARED_MEMORY, Entry, TileConfig
from infill_kernels.moe_down import _down_kernel
from infill_kernels.moe_gate_up import _gate_up_kernel
from infill_kernels.moe_router import _choose_kernel
from infill_kernels.moe_weights import WeightFormat

from tests.kernels.ahead_of_time import Footprint, compile_for

HIDDEN, INNER, EXPERTS, CHOSEN, GROUP = 2816, 704, 128, 8, 64
WARPS_PER_CHIP_REGISTERS = 65_536 // 32


def product_arguments(weight_format: WeightFormat) -> dict[str, str]:
    """int4 has a scale a group, fp8 one a row."""
    values = "*bf16" if weight_format == WeightFormat.DENSE else "*i32"
    scales = {WeightFormat.DENSE: "*bf16", WeightFormat.FLOAT8: "*fp32"}.get(weight_format, "*i32")
    blocks = {"pairs_ptr": "*i32", "experts_ptr": "*i32", "num_blocks_ptr": "*i32"}
    numbers = {"x_stride": "i32", "num_pairs": "i32", "two_units": "i32"}
    rows = {"x_ptr": "*bf16", "inner_ptr": "*bf16", "out_ptr": "*bf16", "routing_ptr": "*fp32"}
    return {"weight_ptr": values, "scale_ptr": scales, **blocks, **numbers, **rows}


def compile_product(
    chip: int, weight_format: WeightFormat, is_gate_up: bool, config: TileConfig
) -> Footprint:
    columns = HIDDEN if is_gate_up else INNER
    constants = {
        "INNER": INNER,
        "SIZE": HIDDEN,
        "BLOCK_M": config.block_m,
        "BLOCK_N": config.block_n,
        "BLOCK_K": config.block_k,
        "FORMAT": int(weight_format),
        "GROUP": GROUP if weight_format == WeightFormat.INT4 else columns,
        "IS_SWAPPED": config.is_swapped,
    }
    if is_gate_up:
        constants["NUM_CHOSEN"] = CHOSEN
    kernel = _gate_up_kernel if is_gate_up else _down_kernel
    arguments = {
        name: kind
        for name, kind in product_arguments(weight_format).items()
        if name in kernel.arg_names
    }
    return compile_for(chip, kernel, arguments, constants, config.num_warps, config.num_stages)


def check(footprint: Footprint, chip: int, num_warps: int) -> None:
    assert footprint.stack_bytes == 0, "registers are spilled"
    assert footprint.shared_bytes <= SHARED_MEMORY[chip]
    assert footprint.registers * num_warps <= WARPS_PER_CHIP_REGISTERS


def name(entry: Entry) -> str:
    return f"sm_{entry.chip}-{entry.format.name.lower()}-{entry.most_pairs:g}"


@pytest.mark.parametrize("entry", BUILT_IN, ids=name)
@pytest.mark.parametrize("is_gate_up", [True, False], ids=["gate_up", "down"])
def test_products(entry: Entry, is_gate_up: bool) -> None:
    config = entry.config.gate_up if is_gate_up else entry.config.down
    footprint = compile_product(entry.chip, entry.format, is_gate_up, config)
    check(footprint, entry.chip, config.num_warps)
    loop = footprint.ttgir[footprint.ttgir.index("scf.for") :]
    loop = loop[: loop.index("scf.yield")]
    assert "tt.load" not in loop, "a load within the loop makes each turn wait for memory"
    assert "async_copy_global_to_local" in loop


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
