"""What a fresh canvas holds before its first denoising step, and how long it is.

Noise; or the request's draft, partly renoised; or gaps of several lengths before the pinned suffix;
or, when the middle's length is known, its end mark pinned in its place. Knows nothing of the model
or of what the steps make of a canvas.
"""

from dataclasses import dataclass

import torch

from infill_engine.anchoring import anchored_canvas
from infill_engine.canvas import Canvas
from infill_engine.prompt.prompt import PromptStrategy
from infill_engine.run import Run
from infill_engine.tokenizer import Tokenizer

_DRAFT_RENOISED_FRACTION = 0.5


@dataclass(frozen=True, slots=True)
class CanvasLayout:
    """Lays out canvases for an engine.

    Attributes:
        strategy: names the noise, the end mark and the filler behind it.
        tokenizer: encodes drafts.
        num_tokens: canvas length of the model.
        num_line_tokens: canvas length for one line, at most that of the model.
        device: where canvases live.
    """

    strategy: PromptStrategy
    tokenizer: Tokenizer
    num_tokens: int
    num_line_tokens: int
    device: torch.device

    def first(self, run: Run) -> Canvas:
        """The canvas that a request begins with."""
        noise, random = self.strategy.noise, run.random
        if run.prompt.anchor is not None:
            return anchored_canvas(run.prompt.anchor, noise, random, self.device)
        if not run.request.draft:
            return self.following(run)
        draft_ids = self.tokenizer.encode(run.prompt.healed + run.request.draft)
        return Canvas.from_draft(
            torch.tensor(draft_ids, device=self.device),
            self.num_tokens,
            _DRAFT_RENOISED_FRACTION,
            noise,
            random,
        )

    def following(self, run: Run) -> Canvas:
        """A canvas of noise behind what the middle has committed."""
        # A line is short, and fewer positions take less time.
        length = self.num_line_tokens if run.request.mode == "line" else self.num_tokens
        canvas = Canvas.noise(1, length, self.strategy.noise, run.random, self.device)
        if run.known_length is not None:
            end_id, filler_id = self.strategy.end_ids[0], self.strategy.filler_id
            canvas.pin_end(run.known_length - run.middle.num_committed, end_id, filler_id)
        return canvas
