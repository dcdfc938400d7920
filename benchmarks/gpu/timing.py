"""How long something takes on the device: events around captured graphs, or the clock on a CPU.

Knows nothing of what is run.
"""

import time
from collections.abc import Callable, Sequence

import torch

_NUM_WARMUP = 3

Work = Callable[[], object]


def times_us(
    runs: Sequence[Work], num_repeats: int, device: torch.device, is_captured: bool
) -> list[float]:
    """Microseconds of one run each, taking `runs` in turn, after a warm-up.

    Args:
        runs: the same work on several copies of its inputs, so that none finds them in a cache.
        num_repeats: timings wanted.
        device: where they run.
        is_captured: replay a CUDA graph of each, which hides launches; of no effect on a CPU.
    """
    if device.type != "cuda":
        return [_clocked_us(runs[i % len(runs)]) for i in range(num_repeats)]
    works = [_captured(run) for run in runs] if is_captured else list(runs)
    times: list[float] = []
    for repeat in range(_NUM_WARMUP + num_repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        works[repeat % len(works)]()
        end.record()
        end.synchronize()
        if repeat >= _NUM_WARMUP:
            times.append(1000 * begin.elapsed_time(end))
    return times


def clocked_ms(work: Work, device: torch.device) -> float:
    """Wall-clock milliseconds until the device is done, launches and all."""
    wait(device)
    begin = time.perf_counter()
    work()
    wait(device)
    return 1000 * (time.perf_counter() - begin)


def wait(device: torch.device) -> None:
    """Until everything asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _captured(run: Work) -> Work:
    run()  # compiles
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def _clocked_us(run: Work) -> float:
    begin = time.perf_counter()
    run()
    return 1e6 * (time.perf_counter() - begin)
