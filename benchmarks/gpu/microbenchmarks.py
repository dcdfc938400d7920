"""Third stage: every operation alone, with cold inputs, beside its reference and its floor.

Kernels are captured in a CUDA graph each, as in the engine; references and peers, some of which
ask the GPU questions, are launched one by one and pay for it. Knows no model as a whole.
"""

from functools import partial
from typing import Any

import torch

from benchmarks.distribution import Distribution
from benchmarks.gpu.ceilings import roof_of
from benchmarks.gpu.floors import Part
from benchmarks.gpu.kernel_choice import using
from benchmarks.gpu.op import Arguments, Draw, Function, Op, bytes_of, plain
from benchmarks.gpu.ops import all_ops
from benchmarks.gpu.run import Data, Run
from benchmarks.gpu.timing import times_us

_FEWEST_COPIES, _MOST_COPIES = 2, 48


def time_all(run: Run, data: Data) -> None:
    """Fill in a line for every operation and number of rows, while time lasts."""
    lines: list[Data] = []
    data["lines"] = lines
    with torch.no_grad():
        for op in all_ops(run.scale):
            found = op.find(run.scale.device)
            if found is None:
                continue
            if not run.has_time():
                data.update(status="out of time", why=f"stopped before {op.name}")
                return
            try:
                _time_op(run, op, *found, lines)
            # One kernel that does not run must not hide the others' times.
            except Exception as error:
                lines.append({"op": op.name, "why": run.note_failure(op.name, error)})
            run.free_memory()


def _time_op(run: Run, op: Op, kernel: Function, reference: Function, lines: list[Data]) -> None:
    scale = run.scale
    canvas = scale.config.canvas_length

    def draw(num_rows: int, copy_idx: int) -> Draw:
        seed = run.seed + 104729 * copy_idx + num_rows
        return Draw(scale.config, num_rows, scale.main_prefix, scale.device, seed)

    weights: list[Arguments] = []
    for num_rows in op.rows or (canvas,):
        if not weights:
            weights = _copies_of_weights(op, draw(num_rows, 0), scale.cold_bytes, draw)
        if not run.has_time():
            return
        copies = [op.inputs(draw(num_rows, idx), kept) for idx, kept in enumerate(weights)]
        lines.append(_line(run, op, kernel, reference, draw(num_rows, 0), copies))
        run.log(f"{op.name}, {num_rows} rows: {_summary(lines[-1])}")


def _copies_of_weights(op: Op, first: Draw, cold_bytes: int, draw: Any) -> list[Arguments]:
    """Enough copies that together with their inputs they exceed any cache."""
    kept = [op.weights(first)]
    size = max(1, bytes_of(op.inputs(first, kept[0])))
    num_copies = min(_MOST_COPIES, max(_FEWEST_COPIES, -(-cold_bytes // size)))
    return kept + [op.weights(draw(first.num_rows, idx)) for idx in range(1, num_copies)]


def _line(
    run: Run, op: Op, kernel: Function, reference: Function, draw: Draw, copies: list[Arguments]
) -> Data:
    scale, device = run.scale, run.scale.device
    with using("reference"):
        # Unpacked beforehand: a reference that unpacks would mostly time that.
        plain_copies = [plain(c, torch.bfloat16) for c in copies[:_FEWEST_COPIES]]
        runs = [partial(reference, *arguments) for arguments in plain_copies]
        reference_us = times_us(runs, scale.num_repeats, device, is_captured=False)
        out = runs[0]()
    least = Part(op.name, op.least_bytes(copies[0], out), op.flop(draw))
    line: Data = {
        "op": op.name,
        "rows": draw.num_rows,
        "bytes": least.num_bytes,
        "flop": least.flop,
        "reference_us": _spread(reference_us),
        "peers_us": {},
    }
    if device.type == "cuda":
        for name, peer in op.peers.items():
            peers = [peer(*arguments) for arguments in copies]
            line["peers_us"][name] = _spread(times_us(peers, scale.num_repeats, device, False))
        with using("triton"):
            kernels = [partial(kernel, *arguments) for arguments in copies]
            taken = times_us(kernels, scale.num_repeats, device, is_captured=True)
    else:
        taken = reference_us
    line["kernel_us"] = _spread(taken)
    roof = roof_of(run)
    if roof is not None:
        line["floor_us"] = 1000 * least.floor_ms(roof)
        line["share_of_floor"] = line["floor_us"] / line["kernel_us"]["p50"]
    return line


def _spread(times: list[float]) -> Data:
    return {**Distribution.of(times).to_dict(), "raw": [round(taken, 2) for taken in times]}


def _summary(line: Data) -> str:
    kernel, reference = line["kernel_us"]["p50"], line["reference_us"]["p50"]
    share = line.get("share_of_floor")
    floor = "" if share is None else f", {100 * share:.0f} % of the floor's speed"
    return f"{kernel:.1f} us (reference {reference:.1f}){floor}"
