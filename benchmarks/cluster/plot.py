"""Draws what a fleet serves: `python -m benchmarks.cluster.plot` reads the kept result."""

import json
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from benchmarks.cluster.capacity import LIMIT_MS

_ROOT = Path(__file__).parents[2]
RESULT = _ROOT / "benchmarks" / "results" / "cluster.txt"
PLOT = _ROOT / "docs" / "plots" / "cluster.png"


def draw(fleets: list[dict[str, Any]], path: Path) -> None:
    """Write the plot of these fleets to `path`, over what is there."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13.0, 4.8))
    sizes = sorted({fleet["num_replicas"] for fleet in fleets})
    for fleet in fleets:
        color = f"C{sizes.index(fleet['num_replicas'])}"
        loads = sorted(fleet["loads"], key=lambda load: load["num_developers"])
        style = "-" if fleet["has_affinity"] else "--"
        name = f"{fleet['num_replicas']} GPUs" + ("" if fleet["has_affinity"] else ", no affinity")
        developers = [load["num_developers"] for load in loads]
        left.plot(
            developers,
            [load["p95_ms"] for load in loads],
            style,
            color=color,
            marker=".",
            label=name,
        )
        good = [load for load in loads if load["p95_ms"] <= LIMIT_MS]
        right.plot(
            [load["num_developers"] for load in good],
            [1000.0 * fleet["num_replicas"] / load["num_developers"] for load in good],
            style,
            color=color,
            marker=".",
            label=name,
        )
    left.axhline(LIMIT_MS, color="grey", linewidth=0.8)
    left.set_ylabel("p95, ms from asking to the whole answer")
    left.set_ylim(0, 4 * LIMIT_MS)
    right.set_ylabel(f"GPUs for 1,000 who type, at p95 under {LIMIT_MS:g} ms")
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xlabel("developers who type at this moment")
        ax.grid(True, which="both", alpha=0.3)
        ax.legend(fontsize=8)
    right.set_yscale("log")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    kept = json.loads(RESULT.read_text(encoding="utf-8").strip().splitlines()[-1])
    draw(kept["simulated"], PLOT)
