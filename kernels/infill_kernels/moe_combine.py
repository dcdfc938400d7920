"""After the experts: add up each row's choices, and, fused with it, the end of the layer.

Sums and norms are float32 and rounded once; choices are added in order, so the same input always
gives the same bits. Knows nothing of experts or attention.
"""

import torch
import triton
from torch import Tensor
from triton import language as tl

# ruff: noqa: N803, ANN202  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportAssignmentType=false
# pyright: reportGeneralTypeIssues=false, reportMissingImports=false, reportIndexIssue=false


def sum_choices(choices: Tensor) -> Tensor:
    """The sum over K of [N, K, E], contiguous: [N, E] in the same dtype. Synchronizes: no."""
    num_rows, num_chosen, size = choices.shape
    if not choices.is_contiguous():
        raise ValueError(f"choices {choices.shape} must be contiguous")
    out = torch.empty(num_rows, size, dtype=choices.dtype, device=choices.device)
    if not num_rows:
        return out  # a grid of no programs is an error
    block = min(1024, triton.next_power_of_2(size))
    _sum_kernel[(num_rows, triton.cdiv(size, block))](
        choices, out, NUM_CHOSEN=num_chosen, SIZE=size, BLOCK=block, num_warps=4
    )
    return out


def combine_branches(
    choices: Tensor,
    dense: Tensor,
    residual: Tensor,
    dense_norm: Tensor,
    sparse_norm: Tensor,
    branch_norm: Tensor,
    layer_scalar: Tensor,
    eps: float,
) -> Tensor:
    """The end of a layer in one launch, from both branches' raw answers to the next residual.

    (residual + branch_norm(dense_norm(dense) + sparse_norm(sum of choices))) * layer_scalar, where
    each norm is the root-mean-square norm with that weight. The reference is
    `layer_norms.finish_layer`. Synchronizes: no.

    Args:
        choices: [N, K, E], with routing weights applied, or [N, E], added up; contiguous.
        dense: [N, E], the dense MLP's answer before its norm, contiguous along E.
        residual: [N, E], contiguous along E.
        dense_norm: [E] weight (post_feedforward_layernorm_1).
        sparse_norm: [E] weight (post_feedforward_layernorm_2).
        branch_norm: [E] weight (post_feedforward_layernorm).
        layer_scalar: [1].
        eps: added to mean squares, > 0.

    Returns:
        [N, E] in the dtype of `residual`, a new tensor.

    Raises:
        ValueError: shapes or strides do not fit.
    """
    if choices.ndim == 2:
        choices = choices.unsqueeze(1)
    num_rows, num_chosen, size = choices.shape
    for name, rows in (("dense", dense), ("residual", residual)):
        if rows.shape != (num_rows, size) or rows.stride(1) != 1:
            raise ValueError(f"{name} {rows.shape} must be [{num_rows}, {size}], contiguous rows")
    if not choices.is_contiguous() or any(
        norm.shape != (size,) for norm in (dense_norm, sparse_norm, branch_norm)
    ):
        raise ValueError(f"choices must be contiguous and norms have {size} weights")
    out = torch.empty(num_rows, size, dtype=residual.dtype, device=residual.device)
    if not num_rows:
        return out
    _combine_kernel[(num_rows,)](
        choices,
        dense,
        residual,
        dense_norm,
        sparse_norm,
        branch_norm,
        layer_scalar,
        out,
        dense.stride(0),
        residual.stride(0),
        eps,
        NUM_CHOSEN=num_chosen,
        SIZE=size,
        BLOCK=triton.next_power_of_2(size),
        num_warps=8,
    )
    return out


@triton.jit
def _sum_of_row(
    choices_ptr: tl.tensor,
    row: tl.tensor,
    columns: tl.tensor,
    NUM_CHOSEN: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    total = tl.zeros((BLOCK,), tl.float32)
    for choice in tl.static_range(NUM_CHOSEN):
        places = choices_ptr + (row * NUM_CHOSEN + choice) * SIZE + columns
        total += tl.load(places, mask=columns < SIZE, other=0.0).to(tl.float32)
    return total


@triton.jit
def _sum_kernel(
    choices_ptr: tl.tensor,  # [N, K, E]
    out_ptr: tl.tensor,  # [N, E]
    NUM_CHOSEN: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    total = _sum_of_row(choices_ptr, row, columns, NUM_CHOSEN, SIZE, BLOCK)
    places = out_ptr + row * SIZE + columns
    tl.store(places, total.to(out_ptr.dtype.element_ty), mask=columns < SIZE)


@triton.jit
def _normed(
    x: tl.tensor, weight_ptr: tl.tensor, columns: tl.tensor, eps: tl.tensor, SIZE: tl.constexpr
):
    """Columns beyond SIZE hold zeros and stay so."""
    weight = tl.load(weight_ptr + columns, mask=columns < SIZE, other=0.0).to(tl.float32)
    return x * tl.rsqrt(tl.sum(x * x) / SIZE + eps) * weight


@triton.jit
def _combine_kernel(
    choices_ptr: tl.tensor,  # [N, K, E]
    dense_ptr: tl.tensor,  # [N, E]
    residual_ptr: tl.tensor,  # [N, E]
    dense_norm_ptr: tl.tensor,  # [E], as the next two
    sparse_norm_ptr: tl.tensor,
    branch_norm_ptr: tl.tensor,
    layer_scalar_ptr: tl.tensor,  # [1]
    out_ptr: tl.tensor,  # [N, E]
    dense_stride: tl.tensor,
    residual_stride: tl.tensor,
    eps: tl.tensor,
    NUM_CHOSEN: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    mask = columns < SIZE
    dense = tl.load(dense_ptr + row * dense_stride + columns, mask=mask, other=0.0).to(tl.float32)
    places = residual_ptr + row * residual_stride + columns
    residual = tl.load(places, mask=mask, other=0.0).to(tl.float32)
    sparse = _sum_of_row(choices_ptr, row, columns, NUM_CHOSEN, SIZE, BLOCK)
    both = _normed(dense, dense_norm_ptr, columns, eps, SIZE)
    both += _normed(sparse, sparse_norm_ptr, columns, eps, SIZE)
    scalar = tl.load(layer_scalar_ptr).to(tl.float32)
    out = (residual + _normed(both, branch_norm_ptr, columns, eps, SIZE)) * scalar
    tl.store(out_ptr + row * SIZE + columns, out.to(out_ptr.dtype.element_ty), mask=mask)
