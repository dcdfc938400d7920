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
        return self.following(run)

    def following(self, run: Run) -> Canvas:
        """A canvas behind what the middle has committed: the draft's next tokens, or noise."""
        if draft_ids := self._rest_of_draft(run):
            return Canvas.from_draft(
                torch.tensor(draft_ids, device=self.device),
                self.num_tokens,
                run.request.draft_strength,
                self.strategy.noise,
                run.random,
            )
        # A line is short, and fewer positions take less time.
        length = self.num_line_tokens if run.request.mode == "line" else self.num_tokens
        canvas = Canvas.noise(1, length, self.strategy.noise, run.random, self.device)
        if run.known_length is not None:
            end_id, filler_id = self.strategy.end_ids[0], self.strategy.filler_id
            canvas.pin_end(run.known_length - run.middle.num_committed, end_id, filler_id)
        return canvas

    def _rest_of_draft(self, run: Run) -> list[int]:
        """The draft's tokens behind as many as are committed, whatever these have become."""
        if not run.request.draft or run.known_length is not None:
            return []
        draft_ids = self.tokenizer.encode(run.prompt.healed + run.request.draft)
        return draft_ids[run.middle.num_committed :]
