"""Every configuration of the sampler compiles, unspilled, for the chips it is meant for.

At the published model's sizes, as these are constants of the kernels. That results are right is
for tests/kernels/interpreted; how fast they come only a GPU can say.
"""

import sys

import pytest

pytest.importorskip("triton", reason="Triton is installed on Linux only")
if sys.platform != "linux":
    pytest.skip("Triton's assembler runs on Linux", allow_module_level=True)

from infill_kernels.moe_configs import SHARED_MEMORY
from infill_kernels.sampler_configs import BUILT_IN, Entry
from infill_kernels.sampler_head import _MOST_TILE_TOKENS, _head_kernel
from infill_kernels.sampler_reduce import _reduce_kernel
from infill_kernels.soft_embedding import _split_kernel, _sum_kernel

from tests.kernels.ahead_of_time import Footprint, compile_for

VOCAB, HIDDEN = 262_144, 2816
WARPS_PER_CHIP_REGISTERS = 65_536 // 32
POINTERS = {
    "*bf16": ("hidden_ptr", "table_ptr", "out_ptr"),
    "*fp16": ("logits_ptr",),
    "*u8": ("forbidden_ptr",),
    "*i64": ("seed_ptr", "pinned_ptr", "argmax_ptr", "sampled_ptr"),
}
NUMBERS = {"softcap": "fp32", "scale": "fp32"}
CASES = [(chip, entry) for entry in BUILT_IN for chip in entry.chips]


def kind_of(argument: str) -> str:
    """Triton's type of a kernel's argument; pointers are to float32 where nothing else is said."""
    for kind, names in POINTERS.items():
        if argument in names:
            return kind
    return "*fp32" if argument.endswith("_ptr") else NUMBERS.get(argument, "i32")


def compile_kernel(
    chip: int, kernel: object, constants: dict[str, int], num_warps: int, num_stages: int = 3
) -> Footprint:
    names: list[str] = kernel.arg_names  # pyright: ignore[reportAttributeAccessIssue]
    arguments = {name: kind_of(name) for name in names if not name.isupper()}
    footprint = compile_for(chip, kernel, arguments, constants, num_warps, num_stages)
    assert footprint.stack_bytes == 0, "registers are spilled"
    assert footprint.shared_bytes <= SHARED_MEMORY[chip]
    assert footprint.registers * num_warps <= WARPS_PER_CHIP_REGISTERS
    return footprint


def check_loop(footprint: Footprint) -> None:
    loop = footprint.ttgir[footprint.ttgir.index("scf.for") :]
    loop = loop[: loop.index("scf.yield")]
    assert "tt.load" not in loop, "a load within the loop makes each turn wait for memory"
    assert "async_copy_global_to_local" in loop


def name(value: object) -> str:
    return f"{value.most_rows:g}" if isinstance(value, Entry) else f"sm_{value}"


@pytest.mark.parametrize(("chip", "entry"), CASES, ids=name)
def test_head(chip: int, entry: Entry) -> None:
    config = entry.head
    tile = min(config.block_n, _MOST_TILE_TOKENS)
    constants = {"VOCAB": VOCAB, "SIZE": HIDDEN, "BLOCK_M": config.block_m, "TILE": tile}
    constants |= {"TILES_AT_ONCE": config.block_n // tile, "BLOCK_K": config.block_k}
    check_loop(compile_kernel(chip, _head_kernel, constants, config.num_warps, config.num_stages))


@pytest.mark.parametrize(("chip", "entry"), CASES, ids=name)
def test_soft_embeddings(chip: int, entry: Entry) -> None:
    config = entry.soft
    constants = {"VOCAB": VOCAB, "SIZE": HIDDEN, "BLOCK_M": config.block_m}
    constants |= {"BLOCK_N": config.block_n, "BLOCK_K": config.block_k}
    check_loop(compile_kernel(chip, _split_kernel, constants, config.num_warps, config.num_stages))


@pytest.mark.parametrize("chip", SHARED_MEMORY)
def test_the_reductions(chip: int) -> None:
    compile_kernel(chip, _sum_kernel, {"SIZE": HIDDEN, "BLOCK": 1024}, 4)
    num_tiles = VOCAB // _MOST_TILE_TOKENS
    constants = {"VOCAB": VOCAB, "NUM_TILES": num_tiles, "BLOCK_T": num_tiles}
    constants |= {"TILE": _MOST_TILE_TOKENS, "IS_PINNABLE": True}
    compile_kernel(chip, _reduce_kernel, constants, 4)


def test_every_chip_has_a_configuration_for_any_number_of_rows() -> None:
    for chip in SHARED_MEMORY:
        limits = [entry.most_rows for entry in BUILT_IN if chip in entry.chips]
        assert limits == sorted(limits)
        assert limits[-1] == float("inf")
