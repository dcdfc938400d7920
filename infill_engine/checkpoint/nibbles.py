"""Small numbers in the bits of larger ones, in the orders that published checkpoints use.

- compressed-tensors: 32 / bits unsigned numbers per int32, the first in the lowest bits.
- AWQ: eight per int32, whose columns 0 to 7 lie in nibbles 0, 4, 1, 5, 2, 6, 3, 7.
- e2m1 (the numbers of NVFP4): two per byte, the first in the low nibble; a sign bit above an
  index into 0, 0.5, 1, 1.5, 2, 3, 4, 6.

Knows nothing of scales, names or files.
"""

import torch
from torch import Tensor

E2M1_VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)

_AWQ_NIBBLES = (0, 4, 1, 5, 2, 6, 3, 7)  # nibble of each column
_WORD_BITS, _BYTE_BITS = 32, 8


def unpack_words(words: Tensor, num_bits: int, num_columns: int) -> Tensor:
    """Unsigned numbers of `num_bits`, 4 or 8, along the last dimension.

    Args:
        words: int32 [..., ceil(num_columns * num_bits / 32)].
        num_bits: of each number.
        num_columns: how many to return; what pads the last word is dropped.

    Returns:
        uint8 [..., num_columns], 0 to 2**num_bits - 1.
    """
    # Little-endian words are bytes in order: a quarter of the traffic of shifting whole words.
    in_bytes = words.reshape(-1).view(torch.uint8).view(*words.shape[:-1], -1)
    if num_bits == _BYTE_BITS:
        return in_bytes[..., :num_columns]
    return split_bytes(in_bytes)[..., :num_columns]


def pack_words(numbers: Tensor, num_bits: int) -> Tensor:
    """Undo `unpack_words`; pads the last word with zeros.

    Args:
        numbers: integers [..., N], 0 to 2**num_bits - 1.
        num_bits: 4 or 8.
    """
    padded = torch.nn.functional.pad(
        numbers.to(torch.uint8), (0, -numbers.shape[-1] % (_WORD_BITS // num_bits))
    )
    if num_bits == _BYTE_BITS:
        return padded.contiguous().view(torch.int32)
    return (padded[..., 0::2] | (padded[..., 1::2] << 4)).view(torch.int32)


def unpack_awq(words: Tensor) -> Tensor:
    """int32 [..., N / 8] to int32 [..., N], 0 to 15."""
    shifts = torch.tensor([4 * i for i in _AWQ_NIBBLES], dtype=torch.int32, device=words.device)
    return ((words.unsqueeze(-1) >> shifts) & 15).flatten(-2)


def unpack_e2m1(packed: Tensor) -> Tensor:
    """uint8 [..., N / 2] to float32 [..., N]."""
    values = torch.tensor(E2M1_VALUES, device=packed.device)
    table = torch.cat([values, -values])
    return table[split_bytes(packed).int()]


def split_bytes(packed: Tensor) -> Tensor:
    """uint8 [..., N / 2] to uint8 [..., N], 0 to 15, low nibbles first."""
    return torch.stack([packed & 15, packed >> 4], dim=-1).flatten(-2)
