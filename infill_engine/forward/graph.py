"""A piece of GPU work that is launched as one: a CUDA graph around a function of fixed buffers.

Knows nothing of models.
"""

from collections.abc import Callable

import torch


class Replayable:
    """Runs a function once, captures it, and replays the capture at every call.

    The function reads and writes buffers that stay; what it computes may depend on their contents,
    what it launches may not. On a CPU, which captures nothing, every call runs the function.
    """

    def __init__(
        self, function: Callable[[], None], device: torch.device, pool: tuple[int, int] | None
    ) -> None:
        """Run and capture `function`.

        Args:
            function: takes nothing, returns nothing, waits for nothing on the device.
            device: where it works.
            pool: `torch.cuda.graph_pool_handle()`, shared by graphs that never run at once.

        Raises:
            torch.OutOfMemoryError: the device lacks memory for what the function needs.
        """
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        if device.type != "cuda":
            function()
            return
        # The first run compiles kernels and allocates workspaces, which a capture must not.
        current = torch.cuda.current_stream(device)
        aside = torch.cuda.Stream(device)
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            function()
        current.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            function()
        self._graph = graph

    def __call__(self) -> None:
        """Do the work once more; does not wait for it."""
        if self._graph is None:
            self._function()
        else:
            self._graph.replay()
