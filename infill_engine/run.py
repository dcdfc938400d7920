"""One request on its way through the engine: what it has so far, and what is told of it.

Holds the state that the engine moves forward; knows nothing of how the model or a KV cache works.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from infill_engine.api import FinishReason, InfillRequest, InfillResult, InfillUpdate
from infill_engine.canvas import Canvas
from infill_engine.confidence import Calibration, leading_confidence
from infill_engine.forward import Forward
from infill_engine.middle import Middle
from infill_engine.prompt.prompt import Prompt
from infill_engine.random_source import SeededRandom
from infill_engine.run_limits import RunLimits
from infill_engine.token_rules import TokenRules

_HOPELESS = 0.02


@dataclass
class Run:
    """State of one request.

    Attributes:
        request: as it came.
        limits: its deadline, cancellation and stopwatch.
        prompt: what is prefilled.
        forward: what it runs on: the model and the KV cache lent to it.
        middle: the text as it grows.
        random: all of the request's randomness.
        rules: tokens that may not be sampled in the current canvas.
        closing_ids: [n] int64 tokens behind which nothing is shown.
        num_cached: prompt tokens found in the KV cache.
        num_prefilled: prompt tokens computed.
        num_steps: denoising steps so far.
        num_canvases: canvases begun.
        entropies: nats, one per token taken from a draft and per position of finished canvases.
        draft_confidences: of the tokens taken from a draft, the first ones of the middle.
        known_length: tokens of the middle, healed ones included, where somebody knows them.
    """

    request: InfillRequest
    limits: RunLimits
    prompt: Prompt
    forward: Forward
    middle: Middle
    random: SeededRandom
    rules: TokenRules
    closing_ids: Tensor
    num_cached: int = 0
    num_prefilled: int = 0
    num_steps: int = 0
    num_canvases: int = 1
    entropies: list[float] = field(default_factory=list)
    draft_confidences: list[float] = field(default_factory=list)
    known_length: int | None = None

    @property
    def has_fixed_length(self) -> bool:
        """Whether something else than the model's end mark says where the middle ends."""
        return self.known_length is not None or self.prompt.anchor is not None

    def fix_length(self, num_tokens: int) -> None:
        """Have the middle end after exactly `num_tokens` tokens, and nowhere before."""
        self.known_length = num_tokens
        self.middle.limit_to(num_tokens)
        self.rules = self.rules.banning(self.closing_ids)

    def update(
        self, canvas: Canvas, num_accepted: int, num_settled: int, calibration: Calibration | None
    ) -> InfillUpdate:
        """What the step just done, after which `num_settled` positions stay, is told as."""
        text, settled_text = self.middle.text, self.middle.settled_text
        settled: tuple[tuple[int, float], ...] = ()
        if calibration is not None and num_settled:
            entropies = [*self.entropies, *canvas.entropy[0, :num_settled].tolist()]
            ends = self.middle.num_chars_begun()
            settled = leading_confidence(
                self.confidences(calibration, entropies)[: len(ends)],
                lambda num_tokens: ends[num_tokens - 1],
                len(settled_text),
            )
        return InfillUpdate(
            step_idx=self.num_steps,
            canvas_idx=self.num_canvases - 1,
            text=text,
            settled_chars=len(settled_text) if text.startswith(settled_text) else 0,
            token_entropies=tuple(canvas.entropy[0].tolist()),
            num_accepted=num_accepted,
            token_chars=self.middle.canvas_token_chars(len(text)),
            leading_confidence=settled,
        )

    def confidences(self, calibration: Calibration, entropies: Sequence[float]) -> list[float]:
        """Of each token of the middle: drafted ones, then denoised ones of these entropies."""
        num_drafted = len(self.draft_confidences)
        denoised = [calibration.of_token(entropy) for entropy in entropies[num_drafted:]]
        return [*self.draft_confidences, *denoised]

    def is_hopeless(self, calibration: Calibration, canvas: Canvas, num_settled: int) -> bool:
        """Whether the text that has settled is too likely wrong to go on behind it."""
        least = self.request.least_confidence
        if self.request.mode == "line":  # a block's many tokens need not all be right to be of use
            least = max(least, _HOPELESS)
        settled = [*self.entropies, *canvas.entropy[0, :num_settled].tolist()]
        return math.prod(self.confidences(calibration, settled)) < least

    def result(self, reason: FinishReason, calibration: Calibration | None) -> InfillResult:
        """What the finished request is answered with."""
        num_tokens = len(self.middle.token_ids)
        entropies: Sequence[float] = self.entropies[:num_tokens]
        confidences = self.confidences(calibration, entropies)[:num_tokens] if calibration else ()
        text = self.middle.text
        return InfillResult(
            text=text,
            finish_reason=reason,
            num_steps=self.num_steps,
            num_canvases=self.num_canvases,
            num_tokens=num_tokens,
            cached_tokens=self.num_cached,
            prefilled_tokens=self.num_prefilled,
            mean_entropy=sum(entropies) / max(1, num_tokens),
            timings_ms=self.limits.timings_ms(),
            leading_confidence=leading_confidence(
                confidences, self.middle.num_chars_of_first, len(text)
            ),
            drafted_tokens=min(len(self.draft_confidences), num_tokens),
        )
