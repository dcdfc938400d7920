"""Numbers to and from the bits of float8_e4m3fn, by shifts and masks.

Triton converts this type from sm_89 on only, and its interpreter not reliably; integer arithmetic
is the same everywhere. Stored bytes are those torch writes, without a scale. Knows no cache.
"""

# ruff: noqa: N803, ANN201  (constants are in capitals, Triton infers results)
# Triton is there on Linux only, and its types know no constants.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

import triton
from triton import language as tl


@triton.jit
def from_float8(packed: tl.tensor, DTYPE: tl.constexpr):
    """uint8 of any shape to DTYPE, exact. Bytes that mean NaN come out as +-480."""
    bits = packed.to(tl.int16)
    # The type has float16's layout with an exponent shorter by one bit: moved up from the
    # mantissa's end it is the number times 2^-8, subnormals included.
    moved = ((bits & 0x80) << 8) | ((bits & 0x7F) << 7)
    return (moved.to(tl.float16, bitcast=True) * 256.0).to(DTYPE)


@triton.jit
def to_float8(x: tl.tensor):
    """float32 of any shape to uint8, rounded to nearest, ties to even; beyond +-448 clamped."""
    magnitude = tl.minimum(tl.abs(x), 448.0)
    # Times 2^-120 its exponent is float8's, and what is subnormal there is so in float32.
    bits = (magnitude * 7.52316384526264e-37).to(tl.int32, bitcast=True)
    rounded = (bits + 0x7FFFF + ((bits >> 20) & 1)) >> 20
    sign = (x.to(tl.int32, bitcast=True) >> 24) & 0x80
    return (rounded | sign).to(tl.uint8)
