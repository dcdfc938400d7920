"""Draws the roofline of a run: `python -m benchmarks.gpu.plots DIR` redraws it from results.json.

Each operation and each whole step stands at its operations per byte and the speed it reached,
beneath what the GPU's memory and its products allow. Reads results only.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.gpu.run import RESULTS_FILE
from benchmarks.gpu.scenarios import MAIN

_TERA = 1e12
_EXPERTS = "experts, "


class Point(NamedTuple):
    """Something measured."""

    label: str
    flop_per_byte: float
    flop_per_s: float


def operation_points(results: Mapping[str, Any]) -> list[Point]:
    """One for each operation and number of rows that was timed."""
    lines = results["stages"].get("microbenchmarks", {}).get("lines", ())
    return [
        Point(
            line["op"],
            line["flop"] / line["bytes"],
            1e6 * line["flop"] / line["kernel_us"]["p50"],
        )
        for line in lines
        if "kernel_us" in line
    ]


def step_points(results: Mapping[str, Any]) -> list[Point]:
    """One for each runner's step at the main scenario; transformers' always beside bf16."""
    found: list[Point] = []
    for stage in results["stages"].values():
        scenario = stage.get("scenarios", {}).get(MAIN)
        if scenario is None:
            continue
        step = scenario["step"]
        for runner, times in scenario["runs"].items():
            if "step_ms" in times:
                label = f"step, {stage['weight_format']}" if runner == "own" else runner
                speed = 1000 * step["flop"] / times["step_ms"]["p50"]
                found.append(Point(label, step["flop"] / step["bytes"], speed))
    return found


def draw_roofline(results: Mapping[str, Any], path: Path) -> None:
    """Write the plot."""
    figure, axes = plt.subplots(figsize=(8, 5.5), layout="constrained")
    axes.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="TFLOP/s")
    _draw_operations(operation_points(results), axes)
    for point in step_points(results):
        marker = "*" if point.label.startswith("step") else "X"
        place = (point.flop_per_byte, point.flop_per_s / _TERA)
        axes.plot(*place, marker, markersize=13, label=point.label, zorder=3)
    _draw_roof(results["stages"].get("ceilings", {}), axes)
    title = f"What was reached on {results['gpu']['name']}"
    axes.set_title(title if results["scale"] != "toy" else f"{title} (a toy's dry run)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small", ncols=2)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _draw_operations(points: list[Point], axes: Axes) -> None:
    """Experts as one line each, over the numbers of rows; all else in gray, named at the point."""
    for label in dict.fromkeys(p.label for p in points if p.label.startswith(_EXPERTS)):
        places = [(p.flop_per_byte, p.flop_per_s / _TERA) for p in points if p.label == label]
        axes.plot(*zip(*places, strict=True), "o-", markersize=4, label=label)
    for point in points:
        if not point.label.startswith(_EXPERTS):
            place = (point.flop_per_byte, point.flop_per_s / _TERA)
            axes.plot(*place, ".", color="gray")
            axes.annotate(
                point.label, place, fontsize=5, xytext=(3, -3), textcoords="offset points"
            )


def _draw_roof(ceilings: Mapping[str, Any], axes: Axes) -> None:
    if "flop_per_s" not in ceilings:
        return
    peak, bandwidth = ceilings["flop_per_s"], ceilings["bytes_per_s"]
    left, right = axes.get_xlim()
    ridge = peak / bandwidth
    left = min(left, ridge / 4)
    right = max(right, 4 * ridge)
    heights = [left * bandwidth / _TERA, peak / _TERA, peak / _TERA]
    label = f"{bandwidth / _TERA:.2f} TB/s, {peak / _TERA:.0f} TFLOP/s"
    axes.plot([left, ridge, right], heights, "k-", linewidth=1, label=label)


def main() -> None:
    """Redraw the plot of a folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.plots", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    results = json.loads((folder / RESULTS_FILE).read_text(encoding="utf-8"))
    draw_roofline(results, folder / "roofline.png")


if __name__ == "__main__":
    main()
