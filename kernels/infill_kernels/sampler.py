"""From hidden states to what a denoising step needs of each position's token, in plain PyTorch.

Entropy, most probable token, a sample and the mean embedding, all of the same logits: those rounded
to half precision as they are stored, so that they agree with each other. On a GPU `sampler_fused`
and `soft_embedding` do the same in two products, wherever `backend` lets them. Knows no model and
no canvas policy.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from infill_kernels.backend import uses_triton
from infill_kernels.philox import uniform_rows


class Predicted(NamedTuple):
    """Per row; `logits`, `largest` and `total` are for `soft_embeddings`."""

    entropy: Tensor  # [N] float32, nats; 0 where pinned
    argmax: Tensor  # [N] int64, the lowest of equals; the pinned id where pinned
    sampled: Tensor  # [N] int64; the pinned id where pinned
    logits: Tensor  # [N, V] softcapped, before the temperature; -inf where forbidden
    largest: Tensor  # [N] float32, of the row's logits, before the temperature
    total: Tensor  # [N] float32: sum of exp((logits - largest) / temperature)


def predict_tokens(
    hidden: Tensor,
    table: Tensor,
    softcap: float,
    forbidden: Tensor,
    temperature: Tensor,
    seed: Tensor,
    canvas_length: int,
    pinned_ids: Tensor | None = None,
) -> Predicted:
    """Softcapped logits of the tied head, and of each row its entropy, argmax and a sample.

    With z = (logit - largest) / temperature and total = sum e^z: H = log total - sum z e^z / total.
    The sample is the token at which the probabilities, added up in order of ids, exceed a random
    number: exactly distributed, the same for the same seed, draw and row.

    Logits are rounded once more than the product rounds: to float16 for both half types, as they
    lie within +-softcap, where float16 has three bits more than bfloat16. Everything else is
    computed from them as rounded. Synchronizes: no.

    Args:
        hidden: [N, E]; row n is canvas position n % `canvas_length`.
        table: [V, E] embedding, same dtype.
        softcap: logits are softcap * tanh(raw / softcap); 0 < softcap <= 60000.
        forbidden: [2, V] uint8, 1 where a token may not stand; the first row is for position 0, the
            second for all others. A token must be left in each, or the ids mean nothing.
        temperature: [1] float32, >= 0. At 0 the sample is the argmax and the rest that of 1.
        seed: [2] int64: of the request, and the number of the draw.
        canvas_length: 1 or more.
        pinned_ids: [N] int64, -1 where a row is free.

    Raises:
        ValueError: shapes, dtypes or strides do not fit.
    """
    check_arguments(hidden, table, softcap, forbidden, temperature, seed, canvas_length, pinned_ids)
    logits = softcapped_logits(hidden, table, softcap, forbidden, canvas_length)
    return predict_from_logits(logits, temperature, seed, pinned_ids)


def soft_embeddings(
    predicted: Predicted, table: Tensor, temperature: Tensor, scale: float
) -> Tensor:
    """`scale` times the mean embedding under each row's distribution.

    Probabilities are rounded to the table's dtype. Synchronizes: no.

    Args:
        predicted: what `predict_tokens` gave.
        table: [V, E], the same.
        temperature: [1] float32, the same.
        scale: of the embeddings.

    Returns:
        [N, E] in the table's dtype. Rows that are pinned are computed like any other.
    """
    if uses_triton(predicted.logits, table):
        from infill_kernels import soft_embedding

        return soft_embedding.soft_embeddings(predicted, table, temperature, scale)
    shares = _exponentials(predicted.logits, predicted.largest, temperature)
    shares = shares / predicted.total[:, None]
    return (shares.to(table.dtype) @ table) * scale


def softcapped_logits(
    hidden: Tensor, table: Tensor, softcap: float, forbidden: Tensor, canvas_length: int
) -> Tensor:
    """The logits alone, as stored: [N, V], -inf where forbidden."""
    raw = functional.linear(hidden, table).float()
    is_later = torch.arange(len(hidden), device=hidden.device) % canvas_length > 0
    is_banned = forbidden.bool()[is_later.long()]
    logits = softcap * torch.tanh(raw / softcap)
    return logits.masked_fill(is_banned, -torch.inf).to(stored_dtype(hidden.dtype))


def predict_from_logits(
    logits: Tensor, temperature: Tensor, seed: Tensor, pinned_ids: Tensor | None = None
) -> Predicted:
    """Everything that follows from logits as stored; arguments as for `predict_tokens`."""
    argmax = logits.argmax(dim=-1)  # the first of equals
    largest = logits.gather(1, argmax[:, None]).squeeze(1).float()
    exponentials = _exponentials(logits, largest, temperature)
    total = exponentials.sum(dim=-1)
    # e^z log e^z rather than z e^z: it is 0, as it must be, where z is -inf.
    entropy = total.log() + torch.special.entr(exponentials).sum(dim=-1) / total
    cumulative = exponentials.double().cumsum(dim=-1)
    reached = uniform_rows(seed, len(logits)) * cumulative[:, -1]
    drawn = torch.searchsorted(cumulative, reached[:, None], right=True).squeeze(1)
    drawn = drawn.clamp_max(logits.shape[1] - 1)  # only where the logits are no numbers
    sampled = torch.where(temperature == 0, argmax, drawn)
    entropy = entropy.clamp_min(0)
    if pinned_ids is not None:
        is_pinned = pinned_ids >= 0
        argmax = torch.where(is_pinned, pinned_ids, argmax)
        sampled = torch.where(is_pinned, pinned_ids, sampled)
        entropy = entropy.masked_fill(is_pinned, 0)
    return Predicted(entropy, argmax, sampled, logits, largest, total)


def stored_dtype(dtype: torch.dtype) -> torch.dtype:
    """Of the logits of hidden states in `dtype`."""
    return torch.float32 if dtype == torch.float32 else torch.float16


def check_arguments(
    hidden: Tensor,
    table: Tensor,
    softcap: float,
    forbidden: Tensor,
    temperature: Tensor,
    seed: Tensor,
    canvas_length: int,
    pinned_ids: Tensor | None,
) -> None:
    """Raise ValueError unless these fit `predict_tokens`, here or in Triton."""
    if hidden.ndim != 2 or hidden.shape[1] != table.shape[1] or hidden.stride(1) != 1:
        raise ValueError(f"hidden {hidden.shape} must be [N, {table.shape[1]}], contiguous rows")
    if not table.is_contiguous() or table.dtype != hidden.dtype:
        raise ValueError(f"table must be contiguous {hidden.dtype}, not {table.dtype}")
    if not 0 < softcap <= 60_000 or canvas_length < 1:
        raise ValueError(f"softcap {softcap} or canvas_length {canvas_length} is out of range")
    wanted = [
        ("forbidden", forbidden, (2, len(table)), torch.uint8),
        ("temperature", temperature, (1,), torch.float32),
        ("seed", seed, (2,), torch.int64),
    ]
    if pinned_ids is not None:
        wanted.append(("pinned_ids", pinned_ids, (len(hidden),), torch.int64))
    for name, tensor, shape, dtype in wanted:
        if tensor.shape != shape or tensor.dtype != dtype or not tensor.is_contiguous():
            raise ValueError(
                f"{name} must be contiguous {shape} of {dtype}: {tensor.shape} of {tensor.dtype}"
            )


def _exponentials(logits: Tensor, largest: Tensor, temperature: Tensor) -> Tensor:
    """exp((logits - largest) / temperature), [N, V] float32; temperature 1 for 0."""
    divisor = torch.where(temperature == 0, 1.0, temperature)
    return ((logits.float() - largest[:, None]) / divisor).exp()
