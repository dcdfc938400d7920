"""Packs the four-bit formats that only published checkpoints bring; `moe_weights` describes them.

Plain torch on any device; knows no checkpoint layout and no kernel.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from infill_kernels.moe_weights import NVFP4_GROUP, ExpertMatrices, WeightFormat, check_group
from infill_kernels.weight_words import BYTE_ORDER, NIBBLE_ORDER, join_halves, join_words


def join_int4_zeros(values: Tensor, zeros: Tensor, scales: Tensor, group: int) -> ExpertMatrices:
    """Pack (values - zeros) * scales: int4 whose groups have zero points of their own.

    Args:
        values: [X, R, C] integers, 0 to 15.
        zeros: [X, R, C / group] integers, 0 to 16.
        scales: [X, R, C / group] float, rounded to bfloat16.
        group: 16 or more columns, a divisor of C.
    """
    columns = values.shape[2]
    check_group(columns, group, multiple_of=8)
    pairs = torch.stack([zeros.float() + 128.0, scales.float()], dim=-1).flatten(-2)
    words = join_words(values, NIBBLE_ORDER)
    return ExpertMatrices(words, join_halves(pairs), WeightFormat.INT4_ZEROS, group, columns)


def join_nvfp4(codes: Tensor, scales: Tensor, overall: Tensor) -> ExpertMatrices:
    """Pack e2m1 numbers * scales * overall; all bits are kept.

    Args:
        codes: [X, R, C] integers 0 to 15, C a multiple of 16; the kernels want one of 64.
        scales: [X, R, C / 16] float8_e4m3fn, without NaN.
        overall: [X, R] float32, usually one number for a whole matrix.
    """
    columns = codes.shape[2]
    check_group(columns, NVFP4_GROUP, multiple_of=8)
    parts = scales.view(torch.uint8).transpose(1, 2)
    parts = F.pad(parts, (0, 0, 0, -parts.shape[1] % 4))
    words = join_words(parts.transpose(1, 2), BYTE_ORDER).transpose(1, 2)
    factors = overall.float().contiguous().view(torch.int32).unsqueeze(1)
    both = torch.cat([words, factors], dim=1).contiguous()
    values = join_words(codes, NIBBLE_ORDER)
    return ExpertMatrices(values, both, WeightFormat.NVFP4, NVFP4_GROUP, columns)
