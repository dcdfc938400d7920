"""Draws key to paint: `python -m benchmarks.editors.plot` reads the kept results.

For each editor the share of keys for which something was painted within a time.
"""

import json
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_ROOT = Path(__file__).parents[2]
RESULTS = _ROOT / "benchmarks" / "results"
PLOT = _ROOT / "docs" / "plots" / "editors.png"
_SMALLEST_MS = 1.0


def kept_results() -> list[dict[str, Any]]:
    """Return what was measured of each editor: the last line of each of the kept reports."""
    reports = [path.read_text(encoding="utf-8") for path in sorted(RESULTS.glob("editors_*.txt"))]
    return [
        editor
        for report in reports
        for editor in json.loads(report.strip().splitlines()[-1])["editors"]
    ]


def draw(editors: list[dict[str, Any]], path: Path) -> None:
    """Write the plot of these editors to `path`, over what is there."""
    figure, axes = plt.subplots(
        1, len(editors), figsize=(7.0 * len(editors), 4.8), squeeze=False, sharex=True, sharey=True
    )
    for ax, editor in zip(axes[0], editors, strict=True):
        _draw_editor(ax, editor)
    axes[0][0].set_ylabel("share of keys painted within")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_editor(ax: Axes, editor: dict[str, Any]) -> None:
    for name, times in editor["times_ms"].items():
        if times:
            ordered = sorted(max(_SMALLEST_MS, time) for time in times)
            shares = [(idx + 1) / len(ordered) for idx in range(len(ordered))]
            ax.step(ordered, shares, where="post", label=f"{name} (n = {len(ordered)})")
    ax.set_xscale("log")
    ax.set_xlabel("milliseconds from the key")
    ax.set_title(editor["editor"])
    ax.grid(True, which="both", alpha=0.3)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=8)


if __name__ == "__main__":
    draw(kept_results(), PLOT)
