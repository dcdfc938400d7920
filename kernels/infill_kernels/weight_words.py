"""Small integers in 32-bit words, in the orders that the Triton kernels unpack fastest.

`weight_tiles` reads a word, shifts it and masks both of its halves at once, so numbers that belong
side by side lie 16 bits apart. Plain torch on any device; knows nothing of what the numbers mean.
"""

import torch
from torch import Tensor

BYTE_ORDER = (2, 0, 3, 1)
"""Byte 0, 1, 2, 3 of a word is number 2, 0, 3, 1."""
NIBBLE_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Nibble 0 to 7 of a word is number 0, 2, 4, 6, 1, 3, 5, 7."""


def join_words(numbers: Tensor, order: tuple[int, ...]) -> Tensor:
    """Pack along the last dimension.

    Args:
        numbers: [..., C] integers, 0 to 255 or to 15, C a multiple of `len(order)`.
        order: `BYTE_ORDER` or `NIBBLE_ORDER`.

    Returns:
        [..., C / len(order)] int32, the first of `order` in the lowest bits.
    """
    bits = 32 // len(order)
    parts = numbers.unflatten(-1, (-1, len(order)))
    words = torch.zeros(parts.shape[:-1], dtype=torch.int32, device=numbers.device)
    for place, idx in enumerate(order):
        words |= parts[..., idx].to(torch.int32) << (bits * place)
    return words


def split_words(words: Tensor, order: tuple[int, ...]) -> Tensor:
    """Undo `join_words`: [..., W] int32 to [..., W * len(order)] int32."""
    bits = 32 // len(order)
    shifts = torch.arange(0, 32, bits, dtype=torch.int32, device=words.device)
    parts = (words.unsqueeze(-1) >> shifts) & ((1 << bits) - 1)
    inverse = [order.index(i) for i in range(len(order))]
    return parts[..., inverse].flatten(-2)


def join_halves(values: Tensor) -> Tensor:
    """[X, R, G] floats to [X, ceil(G / 2), R] words of two bfloat16, the even one lower."""
    bits = values.transpose(1, 2).to(torch.bfloat16).contiguous().view(torch.int16).int() & 0xFFFF
    if bits.shape[1] % 2:
        bits = torch.cat([bits, torch.zeros_like(bits[:, :1])], dim=1)
    return (bits[:, ::2] | (bits[:, 1::2] << 16)).contiguous()


def split_halves(words: Tensor) -> Tensor:
    """Undo `join_halves`: [X, W, R] words to [X, R, 2 W] float32."""
    halves = torch.stack([words << 16, words & -65536], dim=2)
    return halves.view(torch.float32).flatten(1, 2).transpose(1, 2)
