"""Causal attention in blocks of queries that begin at fixed positions.

A float product rounds by its shape, and int8 layers amplify what was rounded: a token read together
with others would get other keys than one read alone. Here a query always stands at the same row of
the same shapes, whatever pieces its prompt is read in. Knows nothing of layers or of how keys and
values are stored.
"""

import functools

import torch
from infill_kernels import attend
from torch import Tensor
from torch.nn import functional as F

BLOCK_TOKENS = 16
"""Queries of a block. Of 8, 16 and 32, a prompt is read fastest in 16, a keystroke in 8 or 16."""
_FEWEST_COLUMNS = 1024  # of a mask for every key, which doubles as prompts get longer


def attend_aligned(
    query: Tensor, keys: Tensor, values: Tensor, num_before: int, window: int | None
) -> Tensor:
    """Attention of a prefill's tokens over all up to themselves.

    Args:
        query: [1, T, H, D], T >= 1, of the tokens at positions num_before, num_before + 1, ...
        keys: [1, G, S, D] of all tokens up to the last of these. S reaches to the end of its block
            at least; what is beyond the last token is not looked at, but has to be finite.
        values: like `keys`.
        num_before: tokens before the pass, >= 0.
        window: of a sliding layer, tokens that one sees with itself among them; None sees all.

    Returns:
        [1, T, H, D]: for each token the same bits whatever T and num_before are.
    """
    end = num_before + query.shape[1]
    begin = num_before - num_before % BLOCK_TOKENS
    num_behind = -end % BLOCK_TOKENS
    rows = F.pad(query.transpose(1, 2), (0, 0, num_before - begin, num_behind))
    attended: list[Tensor] = []
    for block, block_begin in zip(
        rows.split(BLOCK_TOKENS, dim=2), range(begin, end, BLOCK_TOKENS), strict=True
    ):
        first = 0 if window is None else max(0, block_begin - window + 1)
        seen = slice(first, block_begin + BLOCK_TOKENS)
        mask = _mask(seen.stop - first, window, query.dtype)
        attended.append(attend(block, keys[:, :, seen], values[:, :, seen], mask))
    out = torch.cat(attended, dim=2)[:, :, num_before - begin :][:, :, : query.shape[1]]
    return out.transpose(1, 2)


def _mask(num_keys: int, window: int | None, dtype: torch.dtype) -> Tensor:
    """[BLOCK_TOKENS, num_keys] to add to scores, the block's own keys being the last."""
    num_columns = _FEWEST_COLUMNS
    while num_columns < num_keys:
        num_columns *= 2
    return _longest_mask(num_columns, window, dtype)[:, num_columns - num_keys :]


@functools.lru_cache(maxsize=32)
def _longest_mask(num_columns: int, window: int | None, dtype: torch.dtype) -> Tensor:
    own = torch.arange(num_columns - BLOCK_TOKENS, num_columns)[:, None]
    distance = own - torch.arange(num_columns)
    is_seen = distance >= 0 if window is None else (distance >= 0) & (distance < window)
    return torch.zeros(is_seen.shape, dtype=dtype).masked_fill_(~is_seen, -torch.inf)
