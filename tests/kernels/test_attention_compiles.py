"""Attention, norms and the cache's store compile, unspilled, for the chips they are meant for.

At the published model's sizes, as these are constants of the kernels. That results are right is
for tests/kernels/interpreted; how fast they come only a GPU can say.
"""

import sys

import pytest

pytest.importorskip("triton", reason="Triton is installed on Linux only")
if sys.platform != "linux":
    pytest.skip("Triton's assembler runs on Linux", allow_module_level=True)

from infill_kernels.attention_configs import BUILT_IN, Entry
from infill_kernels.attention_splits import _join_kernel
from infill_kernels.cached_attention import _attend_kernel
from infill_kernels.moe_configs import SHARED_MEMORY

from tests.kernels.ahead_of_time import Footprint, compile_for

WARPS_PER_CHIP_REGISTERS = 65_536 // 32
HEADS = {128: (2, 8, 1024), 256: (2, 8, 1024), 512: (8, 2, 0)}
"""By head size: query heads to a key-value head, key-value heads, window (0 is none)."""


def check(footprint: Footprint, chip: int, num_warps: int) -> None:
    assert footprint.stack_bytes == 0, "registers are spilled"
    assert footprint.shared_bytes <= SHARED_MEMORY[chip]
    assert footprint.registers * num_warps <= WARPS_PER_CHIP_REGISTERS


def attend_arguments(is_float8: bool, is_split: bool) -> dict[str, str]:
    kinds = dict.fromkeys(("query_ptr", "key_ptr", "value_ptr", "out_ptr"), "*bf16")
    kinds |= {f"cache_{name}_ptr": "*u8" if is_float8 else "*bf16" for name in ("key", "value")}
    kinds |= {"num_cached_ptr": "*i32", "num_new_ptr": "*i32"}
    kinds |= {"mass_ptr": "*fp32", "largest_ptr": "*fp32", "num_tokens": "i32", "num_rows": "i32"}
    if is_split:
        kinds["out_ptr"] = "*fp32"
    for name in _attend_kernel.arg_names:
        if name.endswith("_stride"):
            kinds[name] = "i32"
    return kinds


def name(entry: Entry) -> str:
    kind = {None: "any", True: "split", False: "whole"}[entry.is_for_splits]
    return f"{entry.most_head_dim}-{kind}-{'-'.join(map(str, entry.chips))}"


@pytest.mark.parametrize(
    ("entry", "chip"),
    [pytest.param(e, c, id=f"sm_{c}-{name(e)}") for e in BUILT_IN for c in e.chips],
)
@pytest.mark.parametrize("is_float8", [False, True], ids=["bf16", "fp8"])
@pytest.mark.parametrize("is_causal", [False, True], ids=["canvas", "prefill"])
def test_attention(entry: Entry, chip: int, is_float8: bool, is_causal: bool) -> None:
    heads, kv_heads, window = HEADS[entry.most_head_dim]
    config = entry.config
    constants = {
        "KV_HEADS": kv_heads,
        "HEADS": heads,
        "HEAD_DIM": entry.most_head_dim,
        "WINDOW": window,
        "IS_CAUSAL": is_causal,
        "IS_PADDED": True,
        "IS_FLOAT8": is_float8,
        "BLOCK_M": config.block_m,
        "BLOCK_N": config.block_n,
    }
    for is_split in (True, False) if entry.is_for_splits is None else (entry.is_for_splits,):
        footprint = compile_for(
            chip,
            _attend_kernel,
            attend_arguments(is_float8, is_split),
            {**constants, "NUM_SPLITS": 4 if is_split else 1},
            config.num_warps,
            config.num_stages,
        )
        check(footprint, chip, config.num_warps)
        for loop in footprint.ttgir.split("scf.for")[1:]:
            body = loop[: loop.index("scf.yield")]
            assert "tt.load" not in body, "a load within the loop makes each turn wait for memory"
            assert "async_copy_global_to_local" in body


@pytest.mark.parametrize("chip", SHARED_MEMORY)
@pytest.mark.parametrize("head_dim", [256, 512])
def test_joining_splits(chip: int, head_dim: int) -> None:
    kinds = {"totals_ptr": "*fp32", "mass_ptr": "*fp32", "largest_ptr": "*fp32"}
    kinds |= {"out_ptr": "*bf16", "num_rows": "i32"}
    sizes = {"HEAD_DIM": head_dim, "NUM_SPLITS": 4, "ROWS": 4}
    check(compile_for(chip, _join_kernel, kinds, sizes, 4), chip, 4)
