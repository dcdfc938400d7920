"""Second stage: what this very GPU can do now, so that floors are its own and not a data sheet's.

The bandwidth of a large copy and the speed of a large product of random bfloat16 numbers: of
zeros it would be faster, as the chip then draws less power. Knows no model.
"""

import torch

from benchmarks.distribution import Distribution
from benchmarks.gpu.floors import Roof
from benchmarks.gpu.run import Data, Run
from benchmarks.gpu.scale import Scale
from benchmarks.gpu.timing import times_us


def measure_ceilings(run: Run, data: Data) -> None:
    """Fill in bytes and operations a second."""
    scale = run.scale
    data["copy_us"] = _copy_us(scale)
    data["bytes_per_s"] = 2e6 * scale.copied_bytes / Distribution.of(data["copy_us"]).p50
    data["product_us"] = _product_us(scale, run.seed)
    data["flop_per_s"] = 2e6 * scale.product_size**3 / Distribution.of(data["product_us"]).p50
    run.log(f"{data['bytes_per_s'] / 1e12:.2f} TB/s, {data['flop_per_s'] / 1e12:.0f} TFLOP/s")


def roof_of(run: Run) -> Roof | None:
    """What was measured, None if it was not."""
    found = run.stages.get("ceilings", {})
    if "flop_per_s" not in found:
        return None
    return Roof(found["bytes_per_s"], found["flop_per_s"])


def _copy_us(scale: Scale) -> list[float]:
    source = torch.zeros(scale.copied_bytes, dtype=torch.uint8, device=scale.device)
    target = torch.empty_like(source)
    works = [lambda: target.copy_(source)]
    return times_us(works, scale.num_repeats, scale.device, is_captured=False)


def _product_us(scale: Scale, seed: int) -> list[float]:
    generator = torch.Generator(device=scale.device).manual_seed(seed)
    shape = (scale.product_size, scale.product_size)
    first, second = (
        torch.empty(shape, dtype=torch.bfloat16, device=scale.device).normal_(generator=generator)
        for _ in range(2)
    )
    works = [lambda: first @ second]
    return times_us(works, scale.num_repeats, scale.device, is_captured=False)
