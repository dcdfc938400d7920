"""Plots: runs are joined as they went on from each other, and both images are drawn."""

import json
import sys
from pathlib import Path

import pytest

from training import plots


def write_losses(path: Path, *tokens: int) -> Path:
    rows = [{"tokens": n, "encoder": 5.0, "full": 7.0, "partial": 6.0} for n in tokens]
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join([*lines, json.dumps({"exact_match": 0.1})]), encoding="utf-8")
    return path


def test_runs_are_joined(tmp_path: Path) -> None:
    first = write_losses(tmp_path / "first", 10, 20)
    anew = write_losses(tmp_path / "anew", 5, 30)
    resumed = write_losses(tmp_path / "resumed", 35, 40)
    rows = plots.read_losses([first, anew, resumed])
    assert [row["tokens"] for row in rows] == [10, 20, 25, 50, 55, 60]


def test_smoothing_looks_back_only() -> None:
    assert plots.smoothed([4.0, 2.0, 6.0], width=2) == [4.0, 3.0, 4.0]


def test_both_images_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = tmp_path / "steps.jsonl"
    rows = [{"max_steps": n, "exact_match": n / 50, "p50_ms": 10.0 * n} for n in (8, 1, 4)]
    steps.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    assert [row["max_steps"] for row in plots.read_steps(steps)] == [1, 4, 8]
    losses = write_losses(tmp_path / "losses", 10, 20)
    arguments = ["--losses", losses, "--steps", steps, "--out", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["plots", *map(str, arguments)])
    plots.main()
    for name in ("losses", "steps"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
