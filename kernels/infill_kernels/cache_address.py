"""A cache that is found by an address in device memory, so that one CUDA graph serves any of them.

Knows nothing of what caches hold.
"""

import triton
from triton import language as tl

# ruff: noqa: ANN201  (Triton infers results)
# Triton is there on Linux only, and its types know neither launch options nor constants.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false, reportArgumentType=false
# pyright: reportMissingImports=false


@triton.jit
def at_address(any_ptr: tl.tensor, address_ptr: tl.tensor):
    """A pointer like `any_ptr`, which another allocation of the same dtype begins at.

    By way of the distance, and not from the address alone: of a pointer made from a number the
    compiler believes nothing, and would load element by element. Allocations begin at multiples of
    256 bytes; multiplying by 16 elements at the end is what it can see.
    """
    num_bytes: tl.constexpr = 16 * (any_ptr.dtype.element_ty.primitive_bitwidth // 8)
    distance = (tl.load(address_ptr) - any_ptr.to(tl.int64)) // num_bytes
    return any_ptr + distance * 16
