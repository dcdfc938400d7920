"""Products of int8 rows: weights as the checkpoint stores them, activations rounded on the way.

Every row has a scale of its own, on both sides, and the products are summed in int32, so that a
row's result does not depend on which rows are multiplied with it. Plain torch: its int8 product is
oneDNN's on a CPU and reads the stored layout as it is, so that nothing is packed or copied. Knows
no layers and no files.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_onednn_product = torch._int_mm  # pyright: ignore[reportPrivateImportUsage]  # no public name
_LARGEST = 127.0
_ABLE = ("avx512_vnni", "avx_vnni", "amx_int8")


class Int8Rows(NamedTuple):
    """A matrix or a stack of them, row for row: value ~ `values` * `scale`."""

    values: Tensor  # [..., N, K] int8
    scale: Tensor  # [..., N] float32


def multiplies_int8() -> bool:
    """Whether this CPU has instructions for int8 products, and with them oneDNN's are exact.

    Without such instructions oneDNN adds pairs of products in 16 bits, which overflow: large values
    come out wrong. So the product is also tried on the largest ones.
    """
    able = torch.cpu.get_capabilities()
    if not torch.backends.mkldnn.is_available() or not any(able.get(name) for name in _ABLE):
        return False
    extremes = torch.full((16, 64), int(_LARGEST), dtype=torch.int8)
    sums = _onednn_product(torch.cat([extremes, -extremes]), extremes.t())
    return bool((sums.abs() == 64 * int(_LARGEST) ** 2).all())


_HAS_PRODUCT = multiplies_int8()


def int8_matmul(rows: Tensor, columns: Tensor, out: Tensor | None = None) -> Tensor:
    """[M, K] int8 @ [K, N] int8 to [M, N] int32, in `out` if given; exact up to K = 1,040."""
    if _HAS_PRODUCT:
        return _onednn_product(rows, columns, out=out)
    sums = (rows.float() @ columns.float()).to(torch.int32)  # slow, and right
    return sums if out is None else out.copy_(sums)


def quantize_rows(x: Tensor) -> Int8Rows:
    """Round to int8 symmetrically, each row by its own largest value.

    Args:
        x: [..., K] float32, finite.

    Returns:
        values [..., K] and scale [...]; a row of zeros stays one.
    """
    scale = x.abs().amax(dim=-1, keepdim=True).clamp_min_(1e-20).div_(_LARGEST)
    return Int8Rows((x / scale).round_().to(torch.int8), scale.squeeze(-1))


def int8_linear(x: Tensor, weight: Int8Rows) -> Tensor:
    """x @ weight^T, with x rounded to int8 row by row.

    Args:
        x: [..., K] float32.
        weight: [N, K] and its scales [N].

    Returns:
        [..., N] float32.
    """
    rows = quantize_rows(x.flatten(0, -2))
    sums = int8_matmul(rows.values, weight.values.t())
    out = (sums * weight.scale).mul_(rows.scale.unsqueeze(-1))
    return out.view(*x.shape[:-1], -1)


def int8_mixture(shares: Tensor, table: Int8Rows) -> Tensor:
    """shares @ table: the mean row of a table under each distribution.

    Args:
        shares: [M, V] float32, not negative; what is below 1 / 254 of a row's largest share of a
            scaled table row is rounded away. Sums of 133,000 of the largest products would
            overflow int32; those of a distribution over a larger table are far from it.
        table: [V, E] and its scales [V].

    Returns:
        [M, E] float32.
    """
    rows = quantize_rows(shares * table.scale)
    return int8_matmul(rows.values, table.values) * rows.scale.unsqueeze(-1)
