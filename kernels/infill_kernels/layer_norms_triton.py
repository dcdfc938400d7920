"""Norms of whole rows in one launch each: alone, and between attention and the two branches.

In float32 and rounded where a result is stored. The end of a layer is `moe_combine`'s. Knows no
products.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

# ruff: noqa: N803, ANN202  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


def rms_norm(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """`infill_kernels.rms_norm` of [N, E], contiguous along E. Synchronizes: no.

    Raises:
        ValueError: shapes or strides do not fit.
    """
    num_rows, size = x.shape
    if x.stride(1) != 1 or (weight is not None and weight.shape != (size,)):
        raise ValueError(f"x {x.shape} must be contiguous along E and have {size} weights")
    out = torch.empty(num_rows, size, dtype=x.dtype, device=x.device)
    if not num_rows:
        return out  # a grid of no programs is an error
    _norm_kernel[(num_rows,)](
        x,
        x if weight is None else weight,
        out,
        x.stride(0),
        eps,
        HAS_WEIGHT=weight is not None,
        SIZE=size,
        BLOCK=triton.next_power_of_2(size),
        num_warps=8,
    )
    return out


def branch_inputs(
    residual: Tensor,
    attended: Tensor,
    attended_weight: Tensor,
    dense_weight: Tensor,
    sparse_weight: Tensor,
    router_scale: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`infill_kernels.layer_norms.branch_inputs` with one statistic of the sum for its three norms.

    The sum is rounded before it is normed, as it is in the residual. Synchronizes: no.

    Args:
        residual: [N, E], contiguous along E.
        attended: [N, E], contiguous along E.
        attended_weight: [E], contiguous, as the next three.
        dense_weight: [E].
        sparse_weight: [E].
        router_scale: [E].
        eps: added to mean squares, > 0.

    Returns:
        The new residual and the inputs of dense MLP, experts and router, [N, E] each, contiguous.

    Raises:
        ValueError: shapes or strides do not fit.
    """
    num_rows, size = residual.shape
    for name, rows in (("residual", residual), ("attended", attended)):
        if rows.shape != (num_rows, size) or rows.stride(1) != 1:
            raise ValueError(f"{name} {rows.shape} must be [{num_rows}, {size}], contiguous rows")
    weights = (attended_weight, dense_weight, sparse_weight, router_scale)
    if any(weight.shape != (size,) or weight.stride(0) != 1 for weight in weights):
        raise ValueError(f"all weights must be [{size}], contiguous")
    new, dense, sparse, router = (
        torch.empty(num_rows, size, dtype=residual.dtype, device=residual.device) for _ in range(4)
    )
    if not num_rows:
        return new, dense, sparse, router
    _branch_kernel[(num_rows,)](
        residual,
        attended,
        *weights,
        new,
        dense,
        sparse,
        router,
        residual.stride(0),
        attended.stride(0),
        size**-0.5,
        eps,
        SIZE=size,
        BLOCK=triton.next_power_of_2(size),
        num_warps=8,
    )
    return new, dense, sparse, router


@triton.jit
def _unit(x: tl.tensor, eps: tl.tensor, SIZE: tl.constexpr):
    """x at unit root-mean-square; columns beyond SIZE hold zeros and stay so."""
    return x * tl.rsqrt(tl.sum(x * x) / SIZE + eps)


@triton.jit
def _norm_kernel(
    x_ptr: tl.tensor,  # [N, E]
    weight_ptr: tl.tensor,  # [E]
    out_ptr: tl.tensor,  # [N, E]
    x_stride: tl.tensor,
    eps: tl.tensor,
    HAS_WEIGHT: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    mask = columns < SIZE
    x = tl.load(x_ptr + row * x_stride + columns, mask=mask, other=0.0).to(tl.float32)
    out = _unit(x, eps, SIZE)
    if HAS_WEIGHT:
        out *= tl.load(weight_ptr + columns, mask=mask, other=0.0).to(tl.float32)
    tl.store(out_ptr + row * SIZE + columns, out.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _branch_kernel(
    residual_ptr: tl.tensor,  # [N, E]
    attended_ptr: tl.tensor,  # [N, E]
    attended_weight_ptr: tl.tensor,  # [E], as the next three
    dense_weight_ptr: tl.tensor,
    sparse_weight_ptr: tl.tensor,
    router_scale_ptr: tl.tensor,
    new_ptr: tl.tensor,  # [N, E], as the next three
    dense_ptr: tl.tensor,
    sparse_ptr: tl.tensor,
    router_ptr: tl.tensor,
    residual_stride: tl.tensor,
    attended_stride: tl.tensor,
    router_factor: tl.tensor,
    eps: tl.tensor,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    mask = columns < SIZE
    dtype: tl.constexpr = new_ptr.dtype.element_ty
    places = attended_ptr + row * attended_stride + columns
    attended = tl.load(places, mask=mask, other=0.0).to(tl.float32)
    places = residual_ptr + row * residual_stride + columns
    residual = tl.load(places, mask=mask, other=0.0).to(tl.float32)
    weight = tl.load(attended_weight_ptr + columns, mask=mask, other=0.0).to(tl.float32)
    new = (residual + _unit(attended, eps, SIZE) * weight).to(dtype)
    places = row * SIZE + columns
    tl.store(new_ptr + places, new, mask=mask)
    unit = _unit(new.to(tl.float32), eps, SIZE)
    weight = tl.load(dense_weight_ptr + columns, mask=mask, other=0.0).to(tl.float32)
    tl.store(dense_ptr + places, (unit * weight).to(dtype), mask=mask)
    weight = tl.load(sparse_weight_ptr + columns, mask=mask, other=0.0).to(tl.float32)
    tl.store(sparse_ptr + places, (unit * weight).to(dtype), mask=mask)
    weight = tl.load(router_scale_ptr + columns, mask=mask, other=0.0).to(tl.float32)
    tl.store(router_ptr + places, (unit * weight * router_factor).to(dtype), mask=mask)
