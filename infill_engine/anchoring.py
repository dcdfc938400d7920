"""Choosing a middle's length when the suffix stands pinned behind it in the canvas.

Several gap lengths go through the first step as rows of one batch; the most confident one, after
taking out what length alone does to confidence, goes on (arXiv:2602.00476).
"""

import torch
from torch import Tensor

from infill_engine.canvas import Canvas, Noise
from infill_engine.prompt.prompt import Anchor
from infill_engine.random_source import RandomSource


def anchored_canvas(
    anchor: Anchor, noise: Noise, random: RandomSource, device: torch.device
) -> Canvas:
    """One row per gap length: noise in the gap, suffix tokens pinned behind it.

    Returns:
        A canvas of [len(anchor.gap_lengths), anchor.canvas_length].
    """
    length = anchor.canvas_length
    canvas = Canvas.noise(len(anchor.gap_lengths), length, noise, random, device)
    suffix = torch.tensor(anchor.token_ids, device=device)
    token_ids, pinned = canvas.current.clone(), torch.zeros_like(canvas.pinned)
    for row_idx, gap in enumerate(anchor.gap_lengths):
        token_ids[row_idx, gap:] = suffix[: length - gap]
        pinned[row_idx, gap:] = True
    canvas.pin(pinned, token_ids)
    canvas.entropy = canvas.entropy.masked_fill(pinned, 0.0)
    return canvas


def choose_gap(entropy: Tensor, gap_lengths: tuple[int, ...]) -> int:
    """Row whose gap is more certain than its length explains.

    Mean entropy drifts with the logarithm of the length for any text; the residual of a straight
    line through the candidates is what the right length stands out by. Fewer than three
    candidates cannot show a drift, so the plain mean decides.

    Args:
        entropy: [B, C] nats after the first step.
        gap_lengths: B ascending lengths; row b's gap is its first `gap_lengths[b]` positions.

    Returns:
        Index of the row to go on with.
    """
    confidence = torch.stack(
        [-row[:gap].mean() for row, gap in zip(entropy, gap_lengths, strict=True)]
    ).double()
    if len(gap_lengths) >= 3:
        log_length = torch.tensor(gap_lengths, dtype=torch.double, device=entropy.device).log()
        centred = log_length - log_length.mean()
        slope = (centred * confidence).sum() / centred.square().sum()
        confidence = confidence - slope * centred
    return int(confidence.argmax())
