"""Attention, norms and the cache's store compile, unspilled, for the chips they are meant for.

At the published model's sizes, as these are constants of the kernels. That results are right is
for tests/kernels/interpreted; how fast they come only a GPU can say.
"""

import sys
from typing import Any

import pytest

pytest.importorskip("triton", reason="Triton is installed on Linux only")
if sys.platform != "linux":
    pytest.skip("Triton's assembler runs on Linux", allow_module_level=True)

from infill_kernels.attention_configs import BUILT_IN, Entry
from infill_kernels.attention_splits import _join_kernel
from infill_kernels.cache_store import _store_kernel
from infill_kernels.cached_attention import _attend_kernel
from infill_kernels.heads_triton import _prepare_kernel
from infill_kernels.layer_norms_triton import _branch_kernel, _norm_kernel
from infill_kernels.moe_configs import SHARED_MEMORY

from tests.kernels.ahead_of_time import Footprint, compile_for

HIDDEN = 2816
WARPS_PER_CHIP_REGISTERS = 65_536 // 32
HEADS = {128: (2, 8, 1024), 256: (2, 8, 1024), 512: (8, 2, 0)}
"""By head size: query heads to a key-value head, key-value heads, window (0 is none)."""


def check(footprint: Footprint, chip: int, num_warps: int) -> None:
    assert footprint.stack_bytes == 0, "registers are spilled"
    assert footprint.shared_bytes <= SHARED_MEMORY[chip]
    assert footprint.registers * num_warps <= WARPS_PER_CHIP_REGISTERS


def kinds_of(kernel: Any, **others: str) -> dict[str, str]:
    """Pointers to bfloat16 and 32-bit numbers, but for what is named."""
    kinds = {n: "*bf16" for n in kernel.arg_names if n.endswith("_ptr")}
    kinds |= {n: "i32" for n in kernel.arg_names if n.endswith("_stride")}
    return kinds | others


LINES = [
    pytest.param(entry, chip, id=f"sm_{chip}-{entry.most_head_dim}")
    for entry in BUILT_IN
    for chip in entry.chips
]


# Half of all combinations: what each changes in the code meets every value of the others.
@pytest.mark.parametrize(("entry", "chip"), LINES)
@pytest.mark.parametrize(
    ("is_float8", "is_causal", "is_split", "own_caches"),
    [
        (False, False, True, False),
        (True, False, False, False),
        (False, True, False, False),
        (True, True, True, False),
        (False, False, False, True),
        (True, False, True, True),
    ],
    ids=["canvas", "canvas-fp8", "prefill", "prefill-fp8", "canvases", "canvases-fp8"],
)
def test_attention(
    entry: Entry, chip: int, is_float8: bool, is_causal: bool, is_split: bool, own_caches: bool
) -> None:
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
        "OWN_CACHES": own_caches,
        "BLOCK_M": config.block_m,
        "BLOCK_N": config.block_n,
    }
    cache = "*u8" if is_float8 else "*bf16"
    kinds = kinds_of(
        _attend_kernel,
        cache_key_ptr=cache,
        cache_value_ptr=cache,
        addresses_ptr="*i64",
        num_cached_ptr="*i32",
        num_new_ptr="*i32",
        out_ptr="*fp32" if is_split else "*bf16",
        mass_ptr="*fp32",
        largest_ptr="*fp32",
        num_tokens="i32",
        num_rows="i32",
    )
    footprint = compile_for(
        chip,
        _attend_kernel,
        kinds,
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
    kinds = kinds_of(
        _join_kernel, totals_ptr="*fp32", mass_ptr="*fp32", largest_ptr="*fp32", num_rows="i32"
    )
    sizes = {"HEAD_DIM": head_dim, "NUM_SPLITS": 4, "ROWS": 4}
    check(compile_for(chip, _join_kernel, kinds, sizes, 4), chip, 4)


@pytest.mark.parametrize("chip", SHARED_MEMORY)
@pytest.mark.parametrize("head_dim", [256, 512])
def test_heads_and_their_store(chip: int, head_dim: int) -> None:
    heads, kv_heads, _ = HEADS[head_dim]
    sizes = {"NUM_HEADS": heads * kv_heads, "KV_HEADS": kv_heads, "HALF": head_dim // 2}
    kinds = kinds_of(_prepare_kernel, num_tokens="i32", eps="fp32")
    check(compile_for(chip, _prepare_kernel, kinds, {**sizes, "TOKENS": 4}, 4), chip, 4)

    counts = {"addresses_ptr": "*i64", "num_cached_ptr": "*i32", "num_new_ptr": "*i32"}
    counts |= {"num_tokens": "i32", "capacity": "i32"}
    for is_float8 in (False, True):
        cache = "*u8" if is_float8 else "*bf16"
        kinds = kinds_of(_store_kernel, cache_key_ptr=cache, cache_value_ptr=cache, **counts)
        flags = {"IS_PADDED": True, "IS_FLOAT8": is_float8, "AT_ADDRESS": is_float8}
        sizes = {"HEAD_DIM": head_dim, "TOKENS": 8, **flags}
        check(compile_for(chip, _store_kernel, kinds, sizes, 4), chip, 4)


@pytest.mark.parametrize("chip", SHARED_MEMORY)
def test_norms(chip: int) -> None:
    sizes = {"SIZE": HIDDEN, "BLOCK": 4096}
    kinds = kinds_of(_norm_kernel, eps="fp32")
    check(compile_for(chip, _norm_kernel, kinds, {**sizes, "HAS_WEIGHT": True}, 8), chip, 8)
    kinds = kinds_of(_branch_kernel, router_factor="fp32", eps="fp32")
    check(compile_for(chip, _branch_kernel, kinds, sizes, 8), chip, 8)
