"""How good a model is on held-back examples: canvas loss at several noise levels, exact match.

Exact match decodes whole batches greedily with mask or random noise in a fixed number of steps,
accepting by the entropy bound: the engine's sampler, without its editor rules. Knows nothing of
text: tokens are compared, up to the end mark.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infill_engine.acceptance import accept_by_entropy
from infill_engine.batch_cache import BatchCache
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.prompt_format import NUM_SPECIAL_TOKENS, SPECIAL_TOKEN_NAMES
from training.noise import MASK_ID, Noise, noise_canvas
from training.objective import PAD_ID, Canvases, choose_canvases
from training.shards import ShardReader
from training.spans import SINGLE_LINE_KINDS, SpanKind

LEVELS = (0.25, 0.5, 0.75, 1.0)
_END_ID = SPECIAL_TOKEN_NAMES.index("<|end_of_middle|>")
_SEED = 1234


@dataclass(frozen=True, slots=True)
class Decoding:
    """How to decode: steps, entropy bound in nats, and whether a step's belief feeds the next."""

    num_steps: int = 8
    entropy_bound: float = 1.0
    uses_beliefs: bool = True


@dataclass(frozen=True, slots=True)
class Quality:
    """Scores of one model.

    Attributes:
        loss_at: nats per noised token at each of LEVELS, end mark included, padding not.
        exact_match: share of one-line middles written token by token as in the source.
        right_length: share of them with the end mark at the right place.
        num_examples: one-line examples decoded.
    """

    loss_at: tuple[float, ...]
    exact_match: float
    right_length: float
    num_examples: int

    def line(self) -> str:
        """One printable line."""
        losses = " ".join(f"{t}:{x:.3f}" for t, x in zip(LEVELS, self.loss_at, strict=False))
        return (
            f"loss at {losses}; exact match {self.exact_match:.1%}, right length "
            f"{self.right_length:.1%} of {self.num_examples}"
        )


@torch.no_grad()
def evaluate(
    model: DiffusionGemma,
    reader: ShardReader,
    noise: Noise,
    decoding: Decoding,
    num_examples: int = 192,
    batch_size: int = 24,
    levels: tuple[float, ...] = LEVELS,
) -> Quality:
    """Score `model` on the first examples of `reader` whose middle fits one canvas.

    Exact match counts single-line gaps only.
    """
    generator = torch.Generator().manual_seed(_SEED)
    sums, counts = torch.zeros(len(levels)), torch.zeros(len(levels))
    num_exact = num_right_length = num_lines = 0
    for canvases, is_line in _batches(model, reader, num_examples, batch_size):
        cache, lengths = _prefill(model, canvases)
        for idx, level in enumerate(levels):
            total, count = _loss_at(
                model, cache, lengths, canvases.canvas_ids, level, noise, generator
            )
            sums[idx] += total
            counts[idx] += count
        decoded = decode(model, cache, lengths, len(is_line), noise, decoding)
        matches = [
            _until_end(row) == _until_end(wanted)
            for row, wanted in zip(decoded.tolist(), canvases.canvas_ids.tolist(), strict=True)
        ]
        same_length = _end(decoded) == _end(canvases.canvas_ids)
        num_exact += sum(m for m, line in zip(matches, is_line, strict=True) if line)
        num_right_length += int((same_length & torch.tensor(is_line)).sum())
        num_lines += sum(is_line)
    losses = (sums / counts.clamp_min(1)).tolist()
    share = 1 / max(num_lines, 1)
    return Quality(tuple(losses), num_exact * share, num_right_length * share, num_lines)


@torch.no_grad()
def decode(
    model: DiffusionGemma,
    cache: BatchCache,
    lengths: Tensor,
    num_rows: int,
    noise: Noise,
    decoding: Decoding,
) -> Tensor:
    """Greedy canvases [B, C] after at most `decoding.num_steps` steps, on the CPU."""
    config, device = model.config, model.embed_tokens.weight.device
    generator = torch.Generator().manual_seed(_SEED)
    shape = (num_rows, config.canvas_length)
    absorbing = noise != "uniform"

    def fresh() -> Tensor:
        if absorbing:
            return torch.full(shape, MASK_ID, device=device)
        return torch.randint(NUM_SPECIAL_TOKENS, config.vocab_size, shape, generator=generator).to(
            device
        )

    current = fresh()
    settled = torch.zeros(shape, dtype=torch.bool, device=device)
    soft: Tensor | None = None
    best = current
    for _ in range(decoding.num_steps):
        hidden = model.denoise(current, cache, soft, prompt_lengths=lengths)
        entropy, argmax, believed = _statistics(model, hidden)
        entropy = entropy.masked_fill(settled, 0.0)
        argmax = torch.where(settled, current, argmax)
        accepted = accept_by_entropy(entropy, decoding.entropy_bound)
        best = argmax
        if absorbing:
            settled |= accepted
            current = torch.where(settled, argmax, current)
            if bool(settled.all()):
                break
        else:
            current = torch.where(accepted, argmax, fresh())
        if decoding.uses_beliefs:
            soft = torch.where(settled[..., None], model.embed(current), believed)
    return best.cpu()


def _statistics(model: DiffusionGemma, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Entropy, argmax and soft embedding of every position, a few rows at a time."""
    entropy = torch.empty(hidden.shape[:2], device=hidden.device)
    argmax = torch.empty(hidden.shape[:2], dtype=torch.long, device=hidden.device)
    soft = torch.empty_like(hidden)
    num_rows = 256 if hidden.is_cuda else 4
    for begin in range(0, len(hidden), num_rows):
        rows = slice(begin, begin + num_rows)
        log_p = model.logits(hidden[rows]).log_softmax(dim=-1)
        probabilities = log_p.exp()
        entropy[rows] = -(probabilities * log_p).sum(dim=-1)
        argmax[rows] = log_p.argmax(dim=-1)
        soft[rows] = model.soft_embed(probabilities)
    return entropy, argmax, soft


def _batches(
    model: DiffusionGemma, reader: ShardReader, num_examples: int, batch_size: int
) -> Iterator[tuple[Canvases, list[bool]]]:
    length = model.config.canvas_length
    fitting = np.flatnonzero(reader.middle_lengths <= length)[:num_examples]
    generator = torch.Generator().manual_seed(_SEED)
    fitting = fitting[np.argsort(reader.context_lengths[fitting], kind="stable")]
    for begin in range(0, len(fitting), batch_size):
        batch = reader.batch(fitting[begin : begin + batch_size])
        canvases = choose_canvases(batch, length, 0, generator)
        yield canvases, [SpanKind(kind) in SINGLE_LINE_KINDS for kind in batch.kind.tolist()]


def _prefill(model: DiffusionGemma, canvases: Canvases) -> tuple[BatchCache, Tensor]:
    device = model.embed_tokens.weight.device
    cache = BatchCache()
    model.prefill(canvases.prompt_ids[:, : int(canvases.context_lengths.max())].to(device), cache)
    return cache, canvases.context_lengths.to(device)


def _loss_at(
    model: DiffusionGemma,
    cache: BatchCache,
    lengths: Tensor,
    canvas_ids: Tensor,
    level: float,
    noise: Noise,
    generator: torch.Generator,
) -> tuple[float, int]:
    levels = torch.full((len(canvas_ids),), level)
    noised, is_noised = noise_canvas(canvas_ids, levels, noise, model.config.vocab_size, generator)
    device = lengths.device
    hidden = model.denoise(noised.to(device), cache, None, prompt_lengths=lengths)
    wanted = is_noised & (canvas_ids != PAD_ID)
    logits = model.logits(hidden[wanted.to(device)])
    targets = canvas_ids[wanted].to(device)
    return float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum")), len(targets)


def _until_end(row: list[int]) -> list[int]:
    return row[: row.index(_END_ID)] if _END_ID in row else row


def _end(canvas_ids: Tensor) -> Tensor:
    is_end = canvas_ids == _END_ID
    return torch.where(is_end.any(dim=1), is_end.int().argmax(dim=1), canvas_ids.shape[1])
