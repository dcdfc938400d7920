"""Finds block sizes of the experts' products on this GPU: `python -m benchmarks.moe_tuning`.

At the published model's sizes and even routing, per weight format and number of rows: every
candidate of `candidates` that compiles and fits, checked against the built-in one, timed with cold
weights (a copy of them for each run in turn, as a step reads 30 layers). Prints microseconds and
the share of the time that reading the weights once would take; `--write` puts the best into the
table that `infill_kernels.moe_configs` reads first. Needs a GPU; knows nothing of quality.
"""

import argparse
import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

# Triton is there on Linux only.
# pyright: reportMissingImports=false
import torch
from infill_kernels import moe_weights
from infill_kernels.moe_blocks import ExpertBlocks, sort_into_blocks
from infill_kernels.moe_configs import BUILT_IN, TUNED_FILE, TileConfig, chip_of, choose_config
from infill_kernels.moe_down import down
from infill_kernels.moe_gate_up import gate_up
from infill_kernels.moe_weights import ExpertMatrices, WeightFormat
from rich.console import Console
from rich.table import Table
from torch import Tensor
from triton.runtime.errors import OutOfResources

HIDDEN, INNER, EXPERTS, CHOSEN = 2816, 704, 128, 8
_ROWS = (1, 8, 32, 64, 128, 256, 512, 1024, 2048)
_BLOCK_M = {1: (16,), 8: (16,), 32: (16,), 64: (16,), 128: (16, 32), 256: (16, 32), 512: (32, 64)}
_LARGE_BLOCK_M = (64, 128)
_NUM_WARMUP, _NUM_REPEATS = 3, 20
_LAYERS_KEPT = 3  # copies of the weights; in bfloat16 three are 4.6 GB, beyond any L2
_TOLERANCE = 2e-2  # of the norm: two bfloat16 results of other summation orders

PACKS: dict[str, Callable[[Tensor], ExpertMatrices]] = {
    "dense": moe_weights.dense,
    "float8": moe_weights.pack_float8,
    "int4": moe_weights.pack_int4,
}


class Found(NamedTuple):
    """The best candidate of one product."""

    config: TileConfig
    microseconds: float
    built_in_microseconds: float


class Layers(NamedTuple):
    """A few layers' experts, so that no run finds its weights in L2."""

    gate_up: list[ExpertMatrices]
    down: list[ExpertMatrices]


def candidates(block_m: int, weight_format: WeightFormat) -> Iterable[TileConfig]:
    """What is tried for one height of blocks."""
    # A group of int4's scales is 64 columns.
    depths = (64,) if weight_format == WeightFormat.INT4 else (64, 128)
    num_warps = 8 if block_m == 128 else 4  # fewer would spill, more would have too little to do
    for block_n, block_k, num_stages, is_swapped in itertools.product(
        (32, 64, 128), depths, (4, 6), (False, True)
    ):
        yield TileConfig(block_m, block_n, block_k, num_warps, num_stages, is_swapped)


def median_us(runs: list[Callable[[], object]]) -> float:
    """Median microseconds of one run, taking the runs in turn; a graph each hides launches."""
    graphs: list[torch.cuda.CUDAGraph] = []
    for run in runs:
        run()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        graphs.append(graph)
    times: list[float] = []
    for repeat in range(_NUM_WARMUP + _NUM_REPEATS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graphs[repeat % len(graphs)].replay()
        end.record()
        end.synchronize()
        if repeat >= _NUM_WARMUP:
            times.append(1000 * begin.elapsed_time(end))
    return sorted(times)[len(times) // 2]


def best_of(
    run: Callable[[int, TileConfig], Tensor], built_in: TileConfig, tried: Iterable[TileConfig]
) -> Found:
    """Time every candidate that works and agrees with the built-in configuration."""
    layers = range(_LAYERS_KEPT)
    want = run(0, built_in).float()
    built_in_us = median_us([lambda i=i: run(i, built_in) for i in layers])
    best = Found(built_in, built_in_us, built_in_us)
    for config in tried:
        try:
            got = run(0, config).float()
            if not (got - want).norm() <= _TOLERANCE * want.norm():
                raise SystemExit(f"{config} computes something else")
            taken = median_us([lambda i=i, c=config: run(i, c) for i in layers])
        except (ValueError, OutOfResources):
            continue  # does not divide the matrix, or takes too much of the chip
        if taken < best.microseconds:
            best = Found(config, taken, built_in_us)
    return best


def tune(name: str, layers: Layers, num_rows: int, device: torch.device) -> dict[str, Any]:
    """The best pair of configurations for one format and number of rows, as a line of the table."""
    generator = torch.Generator(device=device).manual_seed(num_rows)
    x = torch.randn(num_rows, HIDDEN, device=device, generator=generator).bfloat16()
    scores = torch.randn(num_rows, EXPERTS, device=device, generator=generator)
    weights, expert_idx = scores.softmax(dim=-1).topk(CHOSEN)
    pairs_per_expert = num_rows * CHOSEN / EXPERTS
    chip = chip_of(device)
    default = choose_config(chip, layers.gate_up[0], layers.down[0], pairs_per_expert, BUILT_IN)
    best: tuple[Found, Found] | None = None
    for block_m in _BLOCK_M.get(num_rows, _LARGE_BLOCK_M):
        blocks = sort_into_blocks(expert_idx, EXPERTS, block_m)
        inner = gate_up(x, layers.gate_up[0], blocks, default.gate_up._replace(block_m=block_m))

        def run_gate_up(i: int, config: TileConfig, blocks: ExpertBlocks = blocks) -> Tensor:
            return gate_up(x, layers.gate_up[i], blocks, config)

        def run_down(
            i: int, config: TileConfig, blocks: ExpertBlocks = blocks, inner: Tensor = inner
        ) -> Tensor:
            return down(inner, layers.down[i], weights, blocks, config)

        tried = list(candidates(block_m, layers.gate_up[0].format))
        found = (
            best_of(run_gate_up, default.gate_up._replace(block_m=block_m), tried),
            best_of(run_down, default.down._replace(block_m=block_m), tried),
        )
        if best is None or sum(f.microseconds for f in found) < sum(f.microseconds for f in best):
            best = found
    assert best is not None
    return {
        "chip": chip,
        "format": layers.gate_up[0].format.name,
        "most_pairs": pairs_per_expert,
        "gate_up": list(best[0].config),
        "down": list(best[1].config),
        "why": f"{name}, {num_rows} rows on {torch.cuda.get_device_name(device)}: "
        f"{best[0].microseconds:.0f} + {best[1].microseconds:.0f} us, built-in "
        f"{best[0].built_in_microseconds:.0f} + {best[1].built_in_microseconds:.0f} us",
    }


def main() -> None:
    """Tune, print and perhaps write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formats", nargs="+", default=list(PACKS), choices=list(PACKS))
    parser.add_argument("--rows", nargs="+", type=int, default=list(_ROWS))
    parser.add_argument("--write", action="store_true", help=f"write {TUNED_FILE.name}")
    options = parser.parse_args()
    device = torch.device("cuda")
    lines: list[dict[str, Any]] = []
    table = Table("format", "most pairs", "result")
    for name in options.formats:
        layers = Layers([], [])
        for seed in range(_LAYERS_KEPT):
            generator = torch.Generator(device=device).manual_seed(seed)
            for kept, shape in (
                (layers.gate_up, (EXPERTS, 2 * INNER, HIDDEN)),
                (layers.down, (EXPERTS, HIDDEN, INNER)),
            ):
                weight = torch.empty(shape, device=device, dtype=torch.bfloat16)
                weight.normal_(0, shape[2] ** -0.5, generator=generator)
                kept.append(PACKS[name](weight))
        for num_rows in sorted(options.rows):
            lines.append(tune(name, layers, num_rows, device))
            table.add_row(name, f"{lines[-1]['most_pairs']:g}", lines[-1]["why"])
    Console().print(table)
    if options.write:
        TUNED_FILE.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(lines))


if __name__ == "__main__":
    main()
