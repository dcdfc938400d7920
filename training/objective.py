"""What the model is trained to do: read prompts causally and denoise canvases behind them.

One prefill reads [context; middle]. Its next-token loss gives many positions a target, and its
keys of the context alone serve several canvases: the canvas mask ends at the context, so the
middle stays unseen there. A first canvas is all noise, as inference starts; what the model
believes of it conditions the partly noised copies, as at every later step of inference. Further
partly noised canvases start at random places of the prefix, as if the cursor had stood there.
Knows nothing of files, optimizers or schedules.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from infill_engine.batch_cache import BatchCache
from infill_engine.model.diffusion_gemma import DiffusionGemma
from infill_engine.prompt_format import SPECIAL_TOKEN_NAMES
from training.head_loss import HeadLoss, head_loss
from training.noise import (
    Noise,
    behind_frontier,
    distance_behind,
    noise_canvas,
    noise_levels,
    scattered,
)
from training.shards import Batch

PAD_ID = SPECIAL_TOKEN_NAMES.index("<pad>")
_LEAST_NEARNESS = 0.05
_PREFIX_ID = SPECIAL_TOKEN_NAMES.index("<|prefix|>")


class Canvases(NamedTuple):
    """A batch of examples, each with one of its middle's canvases; on the CPU."""

    prompt_ids: Tensor  # [B, T] int64: context, rest of the middle, padding
    context_lengths: Tensor  # [B] int64: tokens the canvas may look at
    prompt_lengths: Tensor  # [B] int64: all tokens but the padding
    canvas_ids: Tensor  # [B, C] int64: a piece of the middle, padded behind the end mark
    split_lengths: Tensor  # [B, S] int64: where canvases that start earlier begin
    split_ids: Tensor  # [B, S, C] int64


@dataclass(frozen=True, slots=True)
class ObjectiveConfig:
    """What counts how much.

    Attributes:
        noise: what a noised position holds: the mask token, a random token, or mostly the mask.
        frontier_share: share of partly noised canvases that are clean up to a position and noised
            behind it, as when settling from the left; the others are noised here and there.
        lookahead_decay: what each noised position before it takes from a position's weight in
            such a canvas, and above `lookahead_floor` in a fully noised one.
        lookahead_floor: least weight in a fully noised canvas.
        num_copies: partly noised copies of each canvas, beside the fully noised one.
        num_splits: partly noised canvases per example that start at a random place of the prefix.
        encoder_share: share of context positions with a next-token loss; middles always have it.
        encoder_weight: weight of the next-token loss.
        full_weight: weight of the fully noised canvas' loss; that of the copies is 1.
        pad_weight: weight of padding behind the end mark, against 1 of a token.
        clean_weight: weight of canvas positions that still hold their token; none with mask
            noise, where they are known to be right.
        self_conditioning_share: share of batches whose copies see the first canvas' belief.
    """

    noise: Noise = "mask"
    frontier_share: float = 0.6
    lookahead_decay: float = 0.75
    lookahead_floor: float = 0.3
    num_copies: int = 1
    num_splits: int = 4
    encoder_share: float = 0.3
    encoder_weight: float = 1.0
    full_weight: float = 1.0
    pad_weight: float = 0.1
    clean_weight: float = 0.05
    self_conditioning_share: float = 0.75


class Losses(NamedTuple):
    """One batch's outcome; nats per token, padding left out."""

    total: Tensor  # scalar, differentiable
    encoder: float
    full: float  # of the fully noised canvas
    partial: float  # of the partly noised copies, over their noised positions
    num_tokens: int  # tokens that went through the layers, padding included


def choose_canvases(
    batch: Batch, canvas_length: int, num_splits: int, generator: torch.Generator
) -> Canvases:
    """Pick one canvas of every middle at random; earlier ones move into its context."""
    num_rows = len(batch.context)
    prompts: list[Tensor] = []
    lengths: list[tuple[int, int]] = []
    canvas_ids = torch.full((num_rows, canvas_length), PAD_ID)
    split_lengths = torch.zeros(num_rows, num_splits, dtype=torch.long)
    split_ids = torch.full((num_rows, num_splits, canvas_length), PAD_ID)
    draws = torch.rand(num_rows, 1 + num_splits, generator=generator).tolist()
    for row, (draw, *split_draws) in enumerate(draws):
        context = batch.context[row, : batch.context_lengths[row]]
        middle = batch.middle[row, : batch.middle_lengths[row]]
        num_canvases = -(-len(middle) // canvas_length)
        begin = int(draw * num_canvases) * canvas_length
        piece = middle[begin : begin + canvas_length]
        prompt = np.concatenate([context, middle[:begin], piece]).astype(np.int64)
        ids = torch.from_numpy(prompt)
        context_length = len(context) + begin
        prompts.append(ids)
        lengths.append((context_length, len(prompt)))
        canvas_ids[row, : len(piece)] = ids[context_length:]
        earliest = int(np.flatnonzero(prompt == _PREFIX_ID)[-1]) + 1
        for idx, split_draw in enumerate(split_draws):
            split = earliest + int(split_draw * (context_length - earliest))
            canvas = ids[split : split + canvas_length]
            split_lengths[row, idx] = split
            split_ids[row, idx, : len(canvas)] = canvas
    prompt_ids = torch.nn.utils.rnn.pad_sequence(prompts, batch_first=True, padding_value=PAD_ID)
    context_lengths, prompt_lengths = torch.tensor(lengths).unbind(1)
    return Canvases(
        prompt_ids, context_lengths, prompt_lengths, canvas_ids, split_lengths, split_ids
    )


def compute_losses(
    model: DiffusionGemma,
    canvases: Canvases,
    config: ObjectiveConfig,
    generator: torch.Generator,
) -> Losses:
    """Run one batch; random numbers come from the CPU, so that a seed means the same everywhere.

    1. Read context and middle.
    2. Denoise a fully noised canvas.
    3. Denoise partly noised copies, given what step 2 believed.
    4. Send the rows of steps 1 and 3 that have a target through the head.
    """
    device = model.embed_tokens.weight.device
    vocab_size = model.config.vocab_size
    # 1. Read context and middle.
    prompt_ids = canvases.prompt_ids.to(device)
    cache = BatchCache()
    encoded = model.prefill(prompt_ids, cache)
    lengths = canvases.context_lengths.to(device)
    # 2. Denoise a fully noised canvas.
    clean = canvases.canvas_ids
    is_noised = torch.ones_like(clean, dtype=torch.bool)
    noised = noise_canvas(clean, is_noised, config.noise, vocab_size, generator)
    denoised = model.denoise(noised.to(device), cache, None, prompt_lengths=lengths)
    is_conditioned = float(torch.rand((), generator=generator)) < config.self_conditioning_share
    nearness = config.lookahead_decay ** distance_behind(is_noised)
    weights = _canvas_weights(clean, is_noised, config) * nearness.clamp_min(config.lookahead_floor)
    rows = torch.arange(clean.numel()) if is_conditioned else _nonzero(weights)
    full = _head(
        model, denoised, rows, clean, config.full_weight * _normalised(weights), is_conditioned
    )
    # 3. Denoise partly noised copies.
    num_copies, num_splits = config.num_copies, canvases.split_ids.shape[1]
    num_partial = num_copies + num_splits
    copied = clean[:, None].expand(-1, num_copies, -1)
    copies = torch.cat([copied, canvases.split_ids], dim=1).flatten(0, 1)
    copied_lengths = canvases.context_lengths[:, None].expand(-1, num_copies)
    copy_lengths = torch.cat([copied_lengths, canvases.split_lengths], dim=1).flatten()
    is_noised, nearness = _partly_noised(copies, config, generator)
    noised_ids = noise_canvas(copies, is_noised, config.noise, vocab_size, generator).to(device)
    soft = None
    if is_conditioned:
        believed = full.beliefs.view(len(clean), 1, *clean.shape[1:], -1)
        soft = believed.expand(-1, num_partial, -1, -1) * model.config.hidden_size**0.5
        has_belief = torch.arange(num_partial, device=device) < num_copies
        soft = torch.where(has_belief[None, :, None, None], soft, 0.0).flatten(0, 1)
        if config.noise == "mask":  # the sampler knows which positions are settled
            is_open = is_noised.to(device)[..., None]
            soft = torch.where(is_open, soft, model.embed(noised_ids).detach())
    partly = model.denoise(
        noised_ids, cache.repeat(num_partial), soft, prompt_lengths=copy_lengths.to(device)
    )
    # 4. One head call for the rest.
    copy_weights = _canvas_weights(copies, is_noised, config) * nearness
    partial_rows = _nonzero(copy_weights)
    partial = _head(model, partly, partial_rows, copies, _normalised(copy_weights))
    encoder_rows = _encoder_rows(canvases, config.encoder_share, generator)
    next_ids = canvases.prompt_ids.roll(-1, dims=1)
    encoder_weights = torch.full(next_ids.shape, config.encoder_weight / max(len(encoder_rows), 1))
    encoder = _head(model, encoded, encoder_rows, next_ids, encoder_weights)
    counted = (is_noised & (copies != PAD_ID)).flatten()[partial_rows]
    return Losses(
        full.total + partial.total + encoder.total,
        float(encoder.row_losses.mean()),
        float(full.row_losses.cpu()[(clean != PAD_ID).flatten()[rows]].mean()),
        float(partial.row_losses.cpu()[counted].mean()),
        prompt_ids.numel() + clean.numel() + copies.numel(),
    )


def _head(
    model: DiffusionGemma,
    hidden: Tensor,
    rows: Tensor,
    targets: Tensor,
    weights: Tensor,
    wants_beliefs: bool = False,
) -> HeadLoss:
    """Head over the flat `rows` of `hidden`, `targets` and `weights`, all of one leading shape."""
    device = hidden.device
    return head_loss(
        hidden.flatten(0, 1)[rows.to(device)],
        model.embed_tokens.weight,
        targets.flatten()[rows].to(device),
        weights.flatten()[rows].to(device),
        model.config.logit_softcap,
        wants_beliefs,
    )


def _encoder_rows(canvases: Canvases, share: float, generator: torch.Generator) -> Tensor:
    """Flat indices of the prompt positions with a next-token loss."""
    position = torch.arange(canvases.prompt_ids.shape[1])
    is_chosen = torch.rand(canvases.prompt_ids.shape, generator=generator) < share
    is_chosen |= position >= canvases.context_lengths[:, None] - 1
    is_chosen &= position < canvases.prompt_lengths[:, None] - 1
    return _nonzero(is_chosen)


def _partly_noised(
    canvas_ids: Tensor, config: ObjectiveConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Which positions [N, C] are noised, and how much each counts for where it stands."""
    num_rows, length = canvas_ids.shape
    here_and_there = scattered(noise_levels(num_rows, generator), length, generator)
    text_lengths = (canvas_ids != PAD_ID).sum(dim=1).clamp_min(1)
    from_frontier = behind_frontier(text_lengths, length, generator)
    has_frontier = torch.rand(num_rows, 1, generator=generator) < config.frontier_share
    is_noised = torch.where(has_frontier, from_frontier, here_and_there)
    nearness = config.lookahead_decay ** distance_behind(from_frontier)
    # What can hardly be known yet is not worth a row of the head.
    nearness = nearness.masked_fill(nearness < _LEAST_NEARNESS, 0.0)
    return is_noised, torch.where(has_frontier, nearness, 1.0)


def _canvas_weights(canvas_ids: Tensor, is_noised: Tensor, config: ObjectiveConfig) -> Tensor:
    """[N, C] weight of every position before normalisation; padding left clean has none."""
    of_token = torch.where(is_noised, 1.0, 0.0 if config.noise == "mask" else config.clean_weight)
    of_pad = torch.where(is_noised, config.pad_weight, 0.0)
    return torch.where(canvas_ids == PAD_ID, of_pad, of_token)


def _normalised(weights: Tensor) -> Tensor:
    return weights / weights.sum().clamp_min(1e-6)


def _nonzero(values: Tensor) -> Tensor:
    return values.flatten().nonzero().squeeze(1)
