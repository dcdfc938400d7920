"""Second stage: what this very GPU can do now, so that floors are its own and not a data sheet's.

The bandwidth of a large copy and the speed of a large product of random bfloat16 numbers: of
zeros it would be faster, as the chip then draws less power. Knows no model.
"""

import torch

from benchmarks.distribution import Distribution
from benchmarks.gpu.floors import Roof
from benchmarks.gpu.run import Data, Run
from benchmarks.gpu.timing import times_us


def measure_ceilings(run: Run, data: Data) -> None:
    """Fill in bytes and operations a second."""
    scale = run.scale
    source = torch.zeros(scale.copied_bytes, dtype=torch.uint8, device=scale.device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)

    taken = times_us([copy], scale.num_repeats, scale.device, is_captured=False)
    data["copy_us"] = taken
    data["bytes_per_s"] = 2e6 * scale.copied_bytes / Distribution.of(taken).p50
    del source, target
    size = scale.product_size
    generator = torch.Generator(device=scale.device).manual_seed(run.seed)
    first, second = (
        torch.empty(size, size, dtype=torch.bfloat16, device=scale.device).normal_(
            generator=generator
        )
        for _ in range(2)
    )
    taken = times_us([lambda: first @ second], scale.num_repeats, scale.device, is_captured=False)
    data["product_us"] = taken
    data["flop_per_s"] = 2e6 * size**3 / Distribution.of(taken).p50
    run.log(f"{data['bytes_per_s'] / 1e12:.2f} TB/s, {data['flop_per_s'] / 1e12:.0f} TFLOP/s")


def roof_of(run: Run) -> Roof | None:
    """What was measured, None if it was not."""
    found = run.stages.get("ceilings", {})
    if "flop_per_s" not in found:
        return None
    return Roof(found["bytes_per_s"], found["flop_per_s"])
