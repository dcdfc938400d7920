"""Draws a model's history for its card: `python -m training.plots`.

Losses over the tokens of one run or several that went on from each other, and what a number of
denoising steps buys. Reads logs only; knows no model.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from training.loss_log import LOSS_LOG

_LOSSES = {
    "encoder": "next token",
    "full": "canvas, all masked",
    "partial": "canvas, partly masked",
}
_SMOOTHED_ROWS = 8


def read_losses(paths: list[Path]) -> list[dict[str, Any]]:
    """Rows of losses, run after run, with tokens counted over all of them.

    A run that resumed another counts from there; one that took over only its weights begins at 0.
    """
    rows: list[dict[str, Any]] = []
    before = 0
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines()
        run = [row for line in lines if "encoder" in (row := json.loads(line))]
        if run and rows and run[0]["tokens"] < rows[-1]["tokens"] - before:
            before = rows[-1]["tokens"]
        rows += [{**row, "tokens": row["tokens"] + before} for row in run]
    return rows


def smoothed(values: list[float], width: int = _SMOOTHED_ROWS) -> list[float]:
    """Mean of each value and up to `width` - 1 before it."""
    return [
        sum(values[max(0, end - width) : end]) / min(width, end)
        for end in range(1, len(values) + 1)
    ]


def read_steps(path: Path) -> list[dict[str, Any]]:
    """Rows of `training.tune_decoding --json`, by number of steps."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(rows, key=lambda row: row["max_steps"])


def draw_losses(rows: list[dict[str, Any]], axes: Axes) -> None:
    """One line per loss."""
    tokens = [row["tokens"] / 1e6 for row in rows]
    for name, label in _LOSSES.items():
        axes.plot(tokens, smoothed([row[name] for row in rows]), label=label)
    axes.set(xlabel="million tokens seen", ylabel="training loss, nats", title="Training")
    axes.legend()


def draw_steps(rows: list[dict[str, Any]], axes: Axes) -> None:
    """Exact match and time against the number of steps allowed."""
    steps = [row["max_steps"] for row in rows]
    exact = axes.plot(steps, [100 * row["exact_match"] for row in rows], "o-", label="exact match")
    axes.set(xlabel="denoising steps, at most", ylabel="exact match, %", title="One-line gaps, dev")
    beside = axes.twinx()
    p50_ms = [row["p50_ms"] for row in rows]
    times = beside.plot(steps, p50_ms, "s--", color="gray", label="milliseconds, p50")
    beside.set(ylabel="milliseconds, p50", ylim=(0, None))
    axes.set(xscale="log", xticks=steps, xticklabels=steps, ylim=(0, None))
    axes.legend(handles=[*exact, *times], loc="lower right")


def main() -> None:
    """Draw what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m training.plots", description=__doc__)
    add = parser.add_argument
    add("--losses", type=Path, nargs="+", help=f"{LOSS_LOG} of the runs, oldest first")
    add("--steps", type=Path, help="rows of `training.tune_decoding --json`")
    add("--out", type=Path, default=Path("docs/plots"))
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for name, draw, rows in (
        ("losses", draw_losses, read_losses(flags.losses) if flags.losses else []),
        ("steps", draw_steps, read_steps(flags.steps) if flags.steps else []),
    ):
        if rows:
            figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
            draw(rows, axes)
            axes.grid(alpha=0.3)
            figure.savefig(flags.out / f"{name}.png", dpi=120)


if __name__ == "__main__":
    main()
