"""Draws what a fleet serves: `python -m benchmarks.cluster.plot` reads the kept result."""

import json
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from benchmarks.cluster.capacity import LIMIT_MS

_ROOT = Path(__file__).parents[2]
RESULT = _ROOT / "benchmarks" / "results" / "cluster_simulated.txt"
PLOT = _ROOT / "docs" / "plots" / "cluster.png"
_TOP_MS = 6_000.0


def draw(fleets: list[dict[str, Any]], teams: list[dict[str, Any]], path: Path) -> None:
    """Write the plot of these fleets and teams to `path`, over what is there."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(13.0, 5.0))
    _draw_loads(left, fleets)
    _draw_teams(right, teams)
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xlabel("developers who type at this moment")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        ax.grid(True, which="both", alpha=0.3)
        ax.legend(fontsize=8, loc="lower left", ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_loads(ax: Axes, fleets: list[dict[str, Any]]) -> None:
    sizes = sorted({fleet["num_replicas"] for fleet in fleets})
    for fleet in fleets:
        color = f"C{sizes.index(fleet['num_replicas'])}"
        loads = sorted(fleet["loads"], key=lambda load: load["num_developers"])
        ax.plot(
            [load["num_developers"] for load in loads],
            [load["p95_ms"] for load in loads],
            "-" if fleet["has_affinity"] else "--",
            color=color,
            marker=".",
            label=f"{fleet['num_replicas']} GPUs"
            + ("" if fleet["has_affinity"] else ", no affinity"),
        )
        if fleet["has_affinity"]:
            lifted = 0.84 ** (1 + sizes.index(fleet["num_replicas"]))
            ax.plot(
                fleet["overloaded"],
                [_TOP_MS * lifted] * len(fleet["overloaded"]),
                "x",
                color=color,
            )
    ax.plot([], [], "x", color="grey", label="over 10 times what it serves: not simulated")
    ax.axhline(LIMIT_MS, color="grey", linewidth=0.8)
    ax.set_yscale("log")
    ax.set_ylim(50.0, _TOP_MS)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set_ylabel("p95, ms from asking to the whole answer")
    ax.set_title("8, 64 and 512 GPUs, 100 to 100,000 developers", fontsize=10)


def _draw_teams(ax: Axes, teams: list[dict[str, Any]]) -> None:
    developers = [team["num_developers"] for team in teams]
    needed = [1000.0 * team["num_replicas"] / team["num_developers"] for team in teams]
    ax.plot(developers, needed, "-", color="C3", marker="o", label="with affinity")
    for team, num, place in zip(teams, needed, developers, strict=True):
        ax.annotate(
            f"{team['num_replicas']:,} GPUs",
            (place, num),
            textcoords="offset points",
            xytext=(0, 9),
            ha="center",
            fontsize=8,
        )
    ax.set_ylim(0, 1.6 * max(needed))
    ax.set_xlim(60, 170_000)
    ax.set_ylabel(f"GPUs for 1,000 who type, at p95 under {LIMIT_MS:g} ms")
    ax.set_title("The smallest fleet for a team", fontsize=10)


if __name__ == "__main__":
    kept = json.loads(RESULT.read_text(encoding="utf-8").strip().splitlines()[-1])
    draw(kept["simulated"], kept["teams"], PLOT)
