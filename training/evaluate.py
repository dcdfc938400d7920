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

from infill_engine.acceptance import AcceptanceOrder, accept
from infill_engine.batch_cache import BatchCache
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.prompt_format import NUM_SPECIAL_TOKENS, SPECIAL_TOKEN_NAMES
from training.noise import MASK_ID, Noise, behind_frontier, noise_canvas, scattered
from training.objective import PAD_ID, Canvases, choose_canvases
from training.shards import ShardReader
from training.spans import SINGLE_LINE_KINDS, SpanKind

LEVELS = (0.25, 0.5, 0.75, 1.0)
_END_ID = SPECIAL_TOKEN_NAMES.index("<|end_of_middle|>")
_SEED = 1234


@dataclass(frozen=True, slots=True)
class Decoding:
    """How to decode: steps, entropy bound in nats, and whether a step's belief feeds the next."""

    num_steps: int = 32
    entropy_bound: float = 0.5
    order: AcceptanceOrder = "leading"
    uses_beliefs: bool = True


@dataclass(frozen=True, slots=True)
class Quality:
    """Scores of one model.

    Attributes:
        loss_at: nats per noised token at each of LEVELS, end mark included, padding not.
        next_loss: nats of the first noised token where all before it is clean.
        exact_match: share of one-line middles written token by token as in the source.
        right_length: share of them with the end mark at the right place.
        right_tokens: mean share of their tokens before the first wrong one.
        num_steps: denoising steps until a one-line middle has ended, mean.
        num_examples: one-line examples decoded.
    """

    loss_at: tuple[float, ...]
    next_loss: float
    exact_match: float
    right_length: float
    right_tokens: float
    num_steps: float
    num_examples: int

    def line(self) -> str:
        """One printable line."""
        losses = " ".join(f"{t}:{x:.3f}" for t, x in zip(LEVELS, self.loss_at, strict=False))
        return (
            f"loss at {losses} next {self.next_loss:.3f}; exact match {self.exact_match:.1%}, "
            f"right length {self.right_length:.1%}, right tokens {self.right_tokens:.1%}, "
            f"{self.num_steps:.1f} steps, of {self.num_examples}"
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

    All but the losses count single-line gaps only.
    """
    generator = torch.Generator().manual_seed(_SEED)
    sums, counts = torch.zeros(len(levels) + 1), torch.zeros(len(levels) + 1)
    scores: list[tuple[bool, bool, float, int]] = []
    for canvases, is_line in _batches(model, reader, num_examples, batch_size):
        cache, lengths = _prefill(model, canvases)
        for idx, is_scored in enumerate(_noised_positions(canvases.canvas_ids, levels, generator)):
            total, count = _loss_of(
                model, cache, lengths, canvases.canvas_ids, *is_scored, noise, generator
            )
            sums[idx] += total
            counts[idx] += count
        decoded, num_steps = decode(model, cache, lengths, len(is_line), noise, decoding)
        scores += [
            (*_compare(ids, wanted), steps)
            for ids, wanted, steps, line in zip(
                decoded.tolist(), canvases.canvas_ids.tolist(), num_steps, is_line, strict=True
            )
            if line
        ]
    *losses, next_loss = (sums / counts.clamp_min(1)).tolist()
    exact, length, tokens, steps = np.array(scores or [(0, 0, 0, 0)], float).mean(axis=0).tolist()
    return Quality(tuple(losses), next_loss, exact, length, tokens, steps, len(scores))


@torch.no_grad()
def decode(
    model: DiffusionGemma,
    cache: BatchCache,
    lengths: Tensor,
    num_rows: int,
    noise: Noise,
    decoding: Decoding,
) -> tuple[Tensor, list[int]]:
    """Greedy canvases [B, C] on the CPU, and the steps after which each had settled its end."""
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
    num_steps = torch.zeros(num_rows, dtype=torch.long, device=device)
    soft: Tensor | None = None
    best = current
    for _ in range(decoding.num_steps):
        num_steps += ~_has_ended(best, settled)
        hidden = model.denoise(current, cache, soft, prompt_lengths=lengths)
        entropy, argmax, believed = _statistics(model, hidden)
        entropy = entropy.masked_fill(settled, 0.0)
        argmax = torch.where(settled, current, argmax)
        accepted = accept(entropy, decoding.entropy_bound, decoding.order)
        best = argmax
        if absorbing:
            settled |= accepted
            current = torch.where(settled, argmax, current)
            if bool(_has_ended(best, settled).all()):
                break
        else:
            current = torch.where(accepted, argmax, fresh())
        if decoding.uses_beliefs:
            soft = torch.where(settled[..., None], model.embed(current), believed)
    return best.cpu(), num_steps.tolist()


def _has_ended(canvas_ids: Tensor, settled: Tensor) -> Tensor:
    """[B] bool: all positions up to the first end mark are settled, or all of the canvas is."""
    is_open = (~settled).int().cumsum(dim=1) > 0
    return ((canvas_ids == _END_ID) & ~is_open).any(dim=1) | settled.all(dim=1)


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


def _noised_positions(
    canvas_ids: Tensor, levels: tuple[float, ...], generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """For each level, and at last for a frontier: which positions are noised, which scored."""
    is_text = canvas_ids != PAD_ID
    num_rows, length = canvas_ids.shape
    for level in levels:
        is_noised = scattered(torch.full((num_rows,), level), length, generator)
        yield is_noised, is_noised & is_text
    is_noised = behind_frontier(is_text.sum(dim=1), length, generator)
    yield is_noised, is_noised & (is_noised.cumsum(dim=1) == 1)


def _loss_of(
    model: DiffusionGemma,
    cache: BatchCache,
    lengths: Tensor,
    canvas_ids: Tensor,
    is_noised: Tensor,
    is_scored: Tensor,
    noise: Noise,
    generator: torch.Generator,
) -> tuple[float, int]:
    """Sum of the scored positions' cross entropies in nats, and their number."""
    noised = noise_canvas(canvas_ids, is_noised, noise, model.config.vocab_size, generator)
    device = lengths.device
    hidden = model.denoise(noised.to(device), cache, None, prompt_lengths=lengths)
    logits = model.logits(hidden[is_scored.to(device)])
    targets = canvas_ids[is_scored].to(device)
    return float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum")), len(targets)


def _compare(ids: list[int], wanted: list[int]) -> tuple[bool, bool, float]:
    """Whether all is right, whether the length is, and the share before the first mistake."""
    ours, theirs = _until_end(ids), _until_end(wanted)
    num_right = 0
    while num_right < min(len(ours), len(theirs)) and ours[num_right] == theirs[num_right]:
        num_right += 1
    return ours == theirs, len(ours) == len(theirs), num_right / max(len(theirs), 1)


def _until_end(row: list[int]) -> list[int]:
    return row[: row.index(_END_ID)] if _END_ID in row else row
