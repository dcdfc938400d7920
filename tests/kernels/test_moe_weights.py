"""Packed experts stand for the numbers they were packed from, and the table has room for them."""

import json
from pathlib import Path

import pytest
import torch
from infill_kernels import moe_weights
from infill_kernels.moe_configs import (
    BUILT_IN,
    SHARED_MEMORY,
    TileConfig,
    chip_of,
    choose_config,
    read_entries,
    table_format,
)
from infill_kernels.moe_weights import ExpertMatrices, WeightFormat
from infill_kernels.published_weights import join_int4_zeros, join_nvfp4
from torch import Tensor


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("group", [None, 32, 64])
def test_float8_keeps_three_bits_of_mantissa(group: int | None, dtype: torch.dtype) -> None:
    weight = normal(3, 5, 192).to(dtype)
    packed = moe_weights.pack_float8(weight, group)
    assert packed.shape == weight.shape
    error = (moe_weights.unpack(packed) - weight.float()).abs()
    largest = weight.float().abs().amax(dim=-1, keepdim=True)
    # Half a step of the mantissa, or of the smallest numbers; and the scale's own rounding.
    assert (error <= weight.float().abs() * (2**-4 + 2**-8) + largest * 2**-18).all()


@pytest.mark.parametrize("group", [32, 64])
def test_int4_rounds_to_the_nearest_of_fifteen(group: int) -> None:
    weight = normal(3, 5, 192)
    unpacked = moe_weights.unpack(moe_weights.pack_int4(weight, group))
    step = weight.unflatten(2, (-1, group)).abs().amax(dim=-1, keepdim=True) / 7
    error = (unpacked - weight).unflatten(2, (-1, group)).abs()
    assert (error <= step * (0.5 + 7 * 2**-8)).all()


def test_what_a_checkpoint_stores_is_kept_exactly() -> None:
    codes = torch.arange(-8, 8, dtype=torch.int8).repeat(2, 3, 12)  # 3 groups of 64
    scales = normal(2, 3, 3, seed=1).abs().bfloat16()
    unpacked = moe_weights.unpack(moe_weights.join_int4(codes, scales, 64))
    assert torch.equal(unpacked, codes * scales.float().repeat_interleave(64, dim=2))

    numbers = torch.arange(256, dtype=torch.uint8).repeat(2, 3, 1)
    numbers[numbers & 0x7F == 0x7F] = 0  # the two that are no numbers
    values = numbers.view(torch.float8_e4m3fn)
    scale = normal(2, 3, 1, seed=1).abs()
    unpacked = moe_weights.unpack(moe_weights.join_float8(values, scale))
    assert torch.equal(unpacked, values.float() * scale)


def test_four_bits_of_published_releases_are_kept_exactly() -> None:
    codes = torch.arange(16).repeat(2, 3, 12)  # 192 columns
    scales = normal(2, 3, 3, seed=1).abs().bfloat16()
    zeros = torch.tensor([0, 7, 16]).expand(2, 3, 3)
    packed = join_int4_zeros(codes, zeros, scales, 64)
    want = (codes - zeros.repeat_interleave(64, dim=2)) * scales.float().repeat_interleave(64, 2)
    assert torch.equal(moe_weights.unpack(packed), want)

    halves = torch.tensor([0, 1, 2, 3, 4, 6, 8, 12]) / 2
    values = torch.cat([halves, -halves])[codes]
    scales = (normal(2, 3, 12, seed=1).abs() * 100).to(torch.float8_e4m3fn)
    overall = normal(2, 3, seed=2).abs()
    packed = join_nvfp4(codes, scales, overall)
    factors = scales.float() * overall.unsqueeze(-1)
    assert torch.equal(moe_weights.unpack(packed), values * factors.repeat_interleave(16, dim=2))


def test_stacks_are_filled_part_by_part() -> None:
    weight = normal(2, 6, 128)
    for packed in (
        moe_weights.pack_float8(weight),
        moe_weights.pack_int4(weight, 32),
        join_nvfp4(
            torch.ones(2, 6, 128), torch.ones(2, 6, 8).to(torch.float8_e4m3fn), weight[..., 0]
        ),
    ):
        group = None if packed.group == 128 else packed.group
        room = moe_weights.empty(packed.shape, packed.format, group, weight.device)
        for expert in range(2):
            one = packed.only(expert)
            for first, rows in ((0, slice(0, 4)), (4, slice(4, 6))):
                part = one._replace(values=one.values[:, rows], scales=one.scales[..., rows])
                room.put(expert, first, part)
        assert torch.equal(room.values, packed.values) and torch.equal(room.scales, packed.scales)
        assert room.num_bytes == packed.num_bytes and room[2:] == packed[2:]


def test_bytes_to_read() -> None:
    weight = torch.zeros(2, 8, 128, dtype=torch.bfloat16)
    assert moe_weights.dense(weight).num_bytes == 2 * 8 * 128 * 2
    assert moe_weights.pack_float8(weight).num_bytes == 2 * 8 * (128 + 4)
    assert moe_weights.pack_int4(weight, 64).num_bytes == 2 * 8 * (64 + 2 * 2)


def test_a_group_that_does_not_divide_the_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="96 columns"):
        moe_weights.pack_int4(normal(1, 4, 96), 64)
    with pytest.raises(ValueError, match="multiple of 4"):
        moe_weights.pack_float8(normal(1, 4, 6))


def published(weight_format: WeightFormat) -> tuple[ExpertMatrices, ExpertMatrices]:
    """The published model's sizes without its numbers."""
    groups = {WeightFormat.INT4: 32, WeightFormat.INT4_ZEROS: 64, WeightFormat.NVFP4: 16}
    meta = torch.device("meta")
    small = [
        moe_weights.dense(normal(1, 2, columns))
        if weight_format == WeightFormat.DENSE
        else moe_weights.empty((1, 2, columns), weight_format, groups.get(weight_format), meta)
        for columns in (2816, 704)
    ]
    return small[0], small[1]


@pytest.mark.parametrize("chip", SHARED_MEMORY)
@pytest.mark.parametrize("weight_format", WeightFormat)
def test_every_load_has_sizes_that_divide_the_published_model(
    chip: int, weight_format: WeightFormat
) -> None:
    gate_up, down = published(weight_format)
    for rows in (1, 8, 32, 64, 128, 256, 512, 1024, 2048, 100_000):
        config = choose_config(chip, gate_up, down, rows * 8 / 128)
        config.gate_up.check(gate_up, config.down.block_m)
        config.down.check(down, config.gate_up.block_m)
        assert 704 % config.gate_up.block_n == 0
        assert 2816 % config.down.block_n == 0


def test_every_entry_says_why_and_can_be_reached() -> None:
    last: dict[tuple[int, WeightFormat], float] = {}
    for entry in BUILT_IN:
        assert entry.why
        key = (entry.chip, entry.format)
        assert entry.most_pairs > last.get(key, 0.0)
        last[key] = entry.most_pairs
    kinds = {table_format(kind) for kind in WeightFormat}
    assert set(last) == {(chip, kind) for chip in SHARED_MEMORY for kind in kinds}
    assert set(last.values()) == {float("inf")}


def test_groups_smaller_than_a_tile_make_it_smaller() -> None:
    packed = moe_weights.pack_int4(normal(1, 2, 128), 16)
    assert TileConfig(16, 64, 64, 4, 3).fitted(packed).block_k == 32, "two groups a tile"
    with pytest.raises(ValueError, match="block_k 64"):
        TileConfig(16, 64, 64, 4, 3).check(packed, 16)


def test_what_a_benchmark_found_is_read(tmp_path: Path) -> None:
    line = {"chip": 90, "format": "DENSE", "most_pairs": 2, "why": "measured"}
    line |= {"gate_up": [16, 64, 32, 8, 3, True], "down": [16, 32, 64, 4, 3, False]}
    path = tmp_path / "tuned.json"
    path.write_text(json.dumps([line]))
    entries = read_entries(path)
    gate_up, down = published(WeightFormat.DENSE)
    config = choose_config(90, gate_up, down, 1.5, entries)
    assert config.gate_up == TileConfig(16, 64, 32, 8, 3, True)
    with pytest.raises(ValueError, match="no configuration"):
        choose_config(90, gate_up, down, 3, entries)
    with pytest.raises(ValueError, match="formats differ"):
        choose_config(90, gate_up, published(WeightFormat.INT4)[1], 1.5, entries)
    line["down"] = [32, 32, 64, 4, 3, False]
    path.write_text(json.dumps([line]))
    with pytest.raises(ValueError, match="block_m"):
        read_entries(path)


def test_a_cpu_counts_as_some_chip() -> None:
    assert chip_of(torch.device("cpu")) in SHARED_MEMORY
