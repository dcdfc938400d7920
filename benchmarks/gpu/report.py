"""Turns results.json into report.md: tables of what was measured, targets beside what was reached.

Reads results only, so that a report can be written again: `python -m benchmarks.gpu.report DIR`.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.gpu.run import RESULTS_FILE
from benchmarks.gpu.targets import TARGETS, reached, verdict

REPORT_FILE = "report.md"

_CAVEATS = """\
Weights are random and seeded: they cost what real ones cost, and say nothing of quality. Steps are
fixed, as a model of random weights is never sure. Tokens a second are those of a whole canvas: its
steps and the pass that commits it, by the clock on the wall, every step's canvas read back to the
CPU. A floor is the time to read every needed weight once at the copy bandwidth, or to multiply at
the speed of a large product, both measured in this run, whichever is longer, added up over parts.
"""

Data = Mapping[str, Any]


def write_report(results: Data, folder: Path) -> None:
    """Write report.md."""
    stages = results["stages"]
    parts = [
        _head(results),
        _stage_table(stages),
        _targets(results),
        _ceilings(stages.get("ceilings", {})),
        _correctness(stages.get("correctness", {})),
        _operations(stages.get("microbenchmarks", {})),
        _company(stages.get("company", {})),
        *(_model(name, stage) for name, stage in stages.items() if "scenarios" in stage),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    (folder / REPORT_FILE).write_text(text, encoding="utf-8")


def _head(results: Data) -> str:
    machine, gpu, versions = results["machine"], results["gpu"], results["versions"]
    found = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    lines = [
        f"# Kernels and full-size model on {gpu['name']}",
        f"{machine['cpu_model']}, {machine['num_cores']} cores; Python {machine['python']}, "
        f"{found}; commit {machine['commit']}; seed {results['seed']}.",
    ]
    if results["scale"] == "toy":
        lines.append("**A dry run at toy size on a CPU: none of these numbers means anything.**")
    lines.append(_CAVEATS.strip())
    if str(results.get("plot", "")).endswith(".png"):
        lines.append(f"![roofline]({results['plot']})")
    elif "plot" in results:
        lines.append(f"{results['plot']}.")
    return "\n\n".join(lines)


def _stage_table(stages: Data) -> str:
    rows = [
        (name, stage["status"], f"{stage.get('seconds', 0):g}", _why(stage))
        for name, stage in stages.items()
    ]
    return _section("Stages", ("stage", "status", "seconds", ""), rows)


def _why(stage: Data) -> str:
    return "; ".join(str(stage[key]) for key in ("why", "note") if key in stage)


def _targets(results: Data) -> str:
    found = reached(results["stages"])
    rows: list[tuple[str, ...]] = []
    for key, target in TARGETS.items():
        value = found[key]
        word = "a toy's" if results["scale"] == "toy" else verdict(target, value)
        rows.append(
            (
                target.name,
                f"{target.at_least:g} {target.unit}",
                f"{target.aim:g} {target.unit}",
                "" if value is None else f"{value:.2f} {target.unit}",
                "not measured" if value is None else word,
            )
        )
    title = "Targets, for an H200: one canvas of 256 behind 1k tokens"
    return _section(title, ("", "at least", "aim", "reached", ""), rows)


def _ceilings(stage: Data) -> str:
    if "flop_per_s" not in stage:
        return ""
    return (
        f"## What this GPU does\n\nCopy: {stage['bytes_per_s'] / 1e12:.3g} TB/s. "
        f"Product of bfloat16: {stage['flop_per_s'] / 1e12:.4g} TFLOP/s; "
        "fp8 is taken to be twice as fast."
    )


def _correctness(stage: Data) -> str:
    rows: list[tuple[str, ...]] = []
    for line in stage.get("ops", ()):
        errors = line.get("errors", ())
        worst = max((e["error"] for e in errors), default=None)
        beside = max((e["reference_error"] for e in errors), default=None)
        row = (line["op"], line["status"], _scientific(worst), _scientific(beside))
        rows.append((*row, line.get("why", "")))
    for draws in stage.get("draws", ()):
        p = f"p = {draws['p']:.3g}" if "p" in draws else ""
        rows.append((f"draws, {draws['sampler']}", draws["status"], p, "", draws.get("why", "")))
    columns = ("operation", "", "largest relative error", "of the reference in bf16", "")
    return _section("Correctness, against float32", columns, rows)


def _operations(stage: Data) -> str:
    rows: list[tuple[str, ...]] = []
    for line in stage.get("lines", ()):
        if "kernel_us" not in line:
            rows.append((line["op"], "", line["why"], "", "", "", "", ""))
            continue
        peers = ", ".join(f"{name} {p['p50']:.1f}" for name, p in line["peers_us"].items())
        rows.append(
            (
                line["op"],
                str(line["rows"]),
                f"{line['kernel_us']['p50']:.1f} / {line['kernel_us']['p95']:.1f}",
                f"{line['reference_us']['p50']:.1f}",
                peers,
                f"{line['bytes'] / 1e6:.1f}",
                _number(line.get("floor_us")),
                _percent(line.get("share_of_floor")),
            )
        )
    columns = (
        "operation",
        "rows",
        "us p50 / p95",
        "reference us",
        "peers us",
        "MB",
        "floor us",
        "%",
    )
    title = "Operations alone, cold inputs; % is floor / time"
    return _section(title, columns, rows)


def _model(name: str, stage: Data) -> str:
    rows: list[tuple[str, ...]] = []
    for scenario, data in stage["scenarios"].items():
        floor_ms = data["step"]["floor_ms"]
        for runner, times in data["runs"].items():
            step = times.get("step_ms")
            share = floor_ms / step["p50"] if step and floor_ms else None
            rows.append(
                (
                    scenario,
                    f"{data['num_canvas']} / {data['num_prefix']} / {data['num_steps']}",
                    runner,
                    _both(step) if step else times.get("why", ""),
                    _number(floor_ms),
                    _percent(share),
                    _both(times.get("canvas_ms")),
                    _number(times.get("tokens_per_s")),
                    _both(times.get("prefill_ms")),
                    _both(times.get("whole_ms")),
                    _number(times.get("peak_gb")),
                    _number(times.get("first_s")),
                )
            )
    columns = (
        "",
        "canvas / prefix / steps",
        "",
        "step ms p50 / p95",
        "floor",
        "%",
        "steps + commit ms",
        "tokens/s",
        "prefill ms",
        "keystroke ms",
        "peak GB",
        "first turn s",
    )
    table = _section(f"Full-size model: {name}", columns, rows)
    if "agreement" in stage:
        words = ", ".join(f"{k.replace('_', ' ')} {v:.3g}" for k, v in stage["agreement"].items())
        table += f"\n\nLogits beside transformers on one canvas: {words}."
    return table


def _company(stage: Data) -> str:
    steps = stage.get("steps", ())
    rows = [
        (
            str(step["num_canvases"]),
            _both(step["step_ms"]),
            _number(step["num_canvases"] * steps[0]["step_ms"]["p50"]),
            "yes" if step["is_shared"] else "no",
            f"{step['first_s']:g}",
        )
        for step in steps
    ]
    columns = ("canvases", "step ms p50 / p95", "in turn ms", "one pass", "first s")
    return _section("Requests that share steps, fp8, a prompt each", columns, rows)


def _section(title: str, columns: Iterable[str], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    columns = tuple(columns)
    lines = [columns, ("---",) * len(columns), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _both(found: Data | None) -> str:
    return "" if found is None else f"{found['p50']:.2f} / {found['p95']:.2f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f}"


def _scientific(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def main() -> None:
    """Write the report of a folder again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.report", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    write_report(json.loads((folder / RESULTS_FILE).read_text(encoding="utf-8")), folder)


if __name__ == "__main__":
    main()
