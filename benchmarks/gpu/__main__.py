"""Everything about the kernels' speed in one call: `python -m benchmarks.gpu --out DIR`.

Correctness first, then what the GPU can do, then each operation, then the full-size model with
random weights, alone and beside transformers. Writes results.json after every stage, report.md,
raw.log and roofline.png; ends within `--minutes`; exits with 1 if any stage failed. `--toy` runs
all of it on a CPU at toy size, to show that it works.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import torch

from benchmarks.gpu.ceilings import measure_ceilings
from benchmarks.gpu.company import steps_together
from benchmarks.gpu.correctness import check_all
from benchmarks.gpu.facts import facts_of
from benchmarks.gpu.full_model import beside_compiled, beside_eager, own_stage
from benchmarks.gpu.microbenchmarks import time_all
from benchmarks.gpu.report import write_report
from benchmarks.gpu.run import Run
from benchmarks.gpu.scale import published, toy

_PLOT, _NO_PLOT = "roofline.png", "matplotlib is not installed here, so there is no plot"


def main() -> None:
    """Run the stages in order."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--minutes", type=float, default=9.0, help="ends within about as many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commit", help="what to write down where git is not there")
    parser.add_argument("--toy", action="store_true", help="toy size on the CPU")
    flags = parser.parse_args()
    if not flags.toy and not torch.cuda.is_available():
        parser.error("there is no GPU here; --toy runs everything at toy size on the CPU")
    if flags.toy:
        torch.set_num_threads(1)  # tensors this small only wait for each other
    scale = toy() if flags.toy else published()
    run = Run(scale, flags.out, flags.seed, flags.minutes, facts_of(scale, flags.commit))
    run.do("correctness", check_all, share_left=0.25)
    run.do("ceilings", measure_ceilings, share_left=0.1)
    run.do("microbenchmarks", time_all, share_left=0.3)
    for weight_format in scale.formats:
        run.do(f"own_{weight_format}", own_stage(weight_format), share_left=0.25)
    run.do("company", steps_together, share_left=0.25)
    run.do("bf16_beside_eager", beside_eager, share_left=0.6)
    # Compiling may take longer than there is time: nothing else must wait for it.
    _finish(run, flags.out)
    run.do("bf16_beside_compiled", beside_compiled, share_left=1.0)
    _finish(run, flags.out)
    sys.exit(int(run.has_failed))


def _finish(run: Run, folder: Path) -> None:
    """Draw and write down what there is."""
    if importlib.util.find_spec("matplotlib") is None:
        run.results["plot"] = _NO_PLOT
        run.log(_NO_PLOT)
    else:
        from benchmarks.gpu.plots import draw_roofline

        draw_roofline(run.results, folder / _PLOT)
        run.results["plot"] = _PLOT
    run.write()
    write_report(run.results, folder)


if __name__ == "__main__":
    main()
