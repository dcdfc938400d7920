"""Several canvases in one pass of the decoder, each over the KV cache of its own prompt.

Their tokens are laid end to end, so that nothing is padded: matrices, norms and experts take all of
them together, and only attention takes each canvas apart, just as it does a canvas alone. Knows
nothing of heads, draws or requests.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from infill_engine.model.attention_view import KeyValueStore, LayerView
from infill_engine.model.diffusion_gemma import DiffusionGemma, ReadCache


class PlacedCanvas(NamedTuple):
    """A canvas as the decoder reads it."""

    token_ids: Tensor  # [B, C] int64; B and C differ from canvas to canvas
    cache: ReadCache  # of its prompt, no two canvases' the same
    signal: Tensor | None  # [B, C, E] self-conditioning, None on a canvas' first step


def denoise_side_by_side(model: DiffusionGemma, canvases: Sequence[PlacedCanvas]) -> list[Tensor]:
    """What `model.denoise` gives of each canvas alone: [B, C, E] normed hidden states each.

    Args:
        model: reads them; nothing is modified.
        canvases: at least one.
    """
    token_ids = torch.cat([canvas.token_ids.flatten() for canvas in canvases])[None]
    hidden = model.denoise(token_ids, _SideBySide(canvases), _joined_signals(model, canvases))[0]
    parts = hidden.split([canvas.token_ids.numel() for canvas in canvases])
    return [
        part.view(*canvas.token_ids.shape, -1) for part, canvas in zip(parts, canvases, strict=True)
    ]


def _joined_signals(model: DiffusionGemma, canvases: Sequence[PlacedCanvas]) -> Tensor | None:
    """[1, N, E]; zeros stand for a first step, of which they make the same as no signal."""
    if all(canvas.signal is None for canvas in canvases):
        return None
    size = model.config.hidden_size
    parts = [
        torch.zeros(canvas.token_ids.numel(), size, dtype=model.dtype, device=model.device)
        if canvas.signal is None
        else canvas.signal.flatten(0, 1)
        for canvas in canvases
    ]
    return torch.cat(parts)[None]


class _SideBySide:
    """The canvases' caches as one, over tokens laid end to end."""

    def __init__(self, canvases: Sequence[PlacedCanvas]) -> None:
        self._canvases = canvases

    def positions(self, num_new: int, device: torch.device) -> Tensor:
        """[1, num_new] int64: each row of each canvas begins behind its own prompt."""
        parts = [
            canvas.cache.positions(canvas.token_ids.shape[1], device).expand(canvas.token_ids.shape)
            for canvas in self._canvases
        ]
        positions = torch.cat([part.flatten() for part in parts])[None]
        assert positions.shape[1] == num_new, "the canvases' own tokens and no others"
        return positions

    def reading(self) -> KeyValueStore:
        """A store that takes the canvases apart."""
        return _Apart(
            [(canvas.token_ids.shape, canvas.cache.reading()) for canvas in self._canvases]
        )


class _Apart:
    def __init__(self, parts: Sequence[tuple[torch.Size, KeyValueStore]]) -> None:
        self._parts = parts

    def attend(
        self, layer_idx: int, query: Tensor, key: Tensor, value: Tensor, view: LayerView
    ) -> Tensor:
        """Attention of each canvas over its own cache: [1, N, H, D]."""
        attended: list[Tensor] = []
        begin = 0
        for shape, store in self._parts:
            tokens = slice(begin, begin + shape.numel())
            begin = tokens.stop
            own = [x[0, tokens].view(*shape, *x.shape[2:]) for x in (query, key, value)]
            attended.append(store.attend(layer_idx, *own, view).flatten(0, 1))
        return torch.cat(attended)[None]
