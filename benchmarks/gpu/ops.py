"""The table of benchmarked operations; another one is another line in one of its two halves."""

from benchmarks.gpu.layer_ops import layer_ops
from benchmarks.gpu.op import Op
from benchmarks.gpu.product_ops import product_ops
from benchmarks.gpu.scale import Scale


def all_ops(scale: Scale) -> list[Op]:
    """Every operation that has, or is to have, a kernel."""
    return [*product_ops(scale.expert_rows), *layer_ops()]
