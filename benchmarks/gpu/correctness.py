"""First stage: every operation against its reference in float32, on fresh random inputs.

On a CPU, where no kernel runs, the references in bfloat16 take the kernels' place. A difference
beyond the tolerance fails the stage, after all operations have been tried. Times nothing.
"""

from typing import Any

import torch

from benchmarks.gpu.kernel_choice import using
from benchmarks.gpu.op import Arguments, Draw, Function, Op, plain
from benchmarks.gpu.ops import all_ops
from benchmarks.gpu.run import Data, Run
from benchmarks.gpu.sampler_draws import check_draws

TOLERANCE = 1e-2  # of the norm: bfloat16 keeps 8 bits, and sums are long


def check_all(run: Run, data: Data) -> None:
    """Fill in the errors of every operation and of the sampler's draws."""
    lines: list[Data] = []
    data["tolerance"], data["ops"] = TOLERANCE, lines
    for op in all_ops(run.scale):
        if not run.has_time():
            data.update(status="out of time", why=f"stopped before {op.name}")
            break
        found = op.find(run.scale.device)
        if found is None:
            run.log(f"{op.name}: {op.kernel} is not there")
            lines.append({"op": op.name, "status": "not there"})
            continue
        line: Data = {"op": op.name, "status": "ok"}
        lines.append(line)
        try:
            line["errors"] = _errors_of(run, op, *found)
        # One kernel that fails to compile must not hide the others' errors.
        except Exception as error:
            line.update(status="failed", why=run.note_failure(op.name, error))
        else:
            wrong = [e for e in line["errors"] if not e["error"] <= TOLERANCE]  # NaN is wrong too
            if wrong:
                line["status"] = "wrong"
        run.log(f"{op.name}: {line}")
        run.free_memory()
    data["draws"] = check_draws(run)
    bad = [line["op"] for line in lines if line["status"] in ("failed", "wrong")]
    bad += [draws["sampler"] for draws in data["draws"] if draws["status"] in ("failed", "wrong")]
    if bad:
        data.update(status="failed", why=f"wrong or failing: {', '.join(bad)}")


def relative_error(got: Any, want: Any, op: Op) -> float:
    """Largest |got - want| / |want| of the compared tensors, by their norms; NaN if any is."""
    errors = [
        float((g.float() - w.float()).norm() / w.float().norm().clamp_min(1e-20))
        for g, w in zip(op.compared(got), op.compared(want), strict=True)
    ]
    return max(errors, key=lambda error: (error != error, error))


def _errors_of(run: Run, op: Op, kernel: Function, reference: Function) -> list[Data]:
    scale, found = run.scale, list[Data]()
    for num_rows in scale.checked_rows:
        for num_cached in (0, 1, scale.main_prefix) if "attention" in op.name else (None,):
            cached = scale.main_prefix if num_cached is None else num_cached
            # The cache has room for the main prefix at the least, valid or not.
            seed = run.seed + 7919 * num_rows + cached
            draw = Draw(scale.config, num_rows, scale.main_prefix, scale.device, seed)
            arguments = op.inputs(draw, op.weights(draw))
            if num_cached is not None:
                arguments = _with_num_cached(arguments, draw, cached)
            found.append(
                {
                    "rows": num_rows,
                    "cached": num_cached,
                    **_errors(op, kernel, reference, arguments),
                }
            )
    return found


def _errors(op: Op, kernel: Function, reference: Function, arguments: Arguments) -> Data:
    with torch.no_grad(), using("reference"):
        want = reference(*plain(arguments, torch.float32))
        beside = reference(*plain(arguments, torch.bfloat16))
    got = beside
    if any(t.is_cuda for t in op.compared(beside)):
        with torch.no_grad(), using("triton"):
            got = kernel(*arguments)
    return {
        "error": relative_error(got, want, op),
        "reference_error": relative_error(beside, want, op),
    }


def _with_num_cached(arguments: Arguments, draw: Draw, num_cached: int) -> Arguments:
    count = draw.full(num_cached, torch.int32)
    return (*arguments[:5], count, *arguments[6:])
