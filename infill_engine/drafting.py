"""Starts a middle with what the file itself suggests, as far as the model agrees.

Runs between prefill and the first canvas. Tokens taken over join the prompt as a committed canvas
does, so that denoising goes on behind them; a draft taken over to its end needs no denoising at
all. Knows how a draft is found and judged only by name.
"""

from collections.abc import Callable
from dataclasses import dataclass

from infill_engine.context_draft import find_context_draft
from infill_engine.draft_check import DraftCalibration, JudgedToken, judge_draft
from infill_engine.middle import Ending
from infill_engine.run import Run

_MAX_TOKENS = 48


@dataclass(frozen=True, slots=True)
class JudgedDraft:
    """A draft's tokens, its end included where it ends the middle, and its source's strength.

    The tokens spell `healed`, the prefix' last characters, before the middle.
    """

    tokens: list[JudgedToken]
    strength: int
    healed: str


@dataclass(frozen=True, slots=True)
class Drafter:
    """Makes, judges and takes over drafts for an engine.

    Attributes:
        encode: text to token ids.
        closing_id: the token that ends a middle.
    """

    encode: Callable[[str], list[int]]
    closing_id: int

    def judge(self, run: Run) -> JudgedDraft | None:
        """What the file suggests and what the model thinks of it; None where there is nothing.

        Modifies the run's cache, which holds the prompt: it holds prompt and draft afterwards.
        """
        request = run.request
        if request.mode == "rewrite" or request.draft or run.forward.cache.num_tokens == 0:
            return None
        draft = find_context_draft(request.prefix, request.suffix)
        if draft is None:
            return None
        all_ids = self.encode(run.prompt.healed + draft.text)
        token_ids = all_ids[: min(_MAX_TOKENS, request.max_new_tokens)]
        # Only in line mode is the line's end the middle's end.
        is_whole = request.mode == "line" and token_ids == all_ids
        if not token_ids and not is_whole:
            return None
        closing_id = self.closing_id if is_whole else None
        tokens = judge_draft(run.forward, token_ids, closing_id, run.rules)
        return JudgedDraft(tokens, draft.strength, run.prompt.healed)

    def take_over(self, run: Run, calibration: DraftCalibration) -> Ending | None:
        """Begin the run's middle with the tokens that are likely enough; says what ends it, if so.

        Modifies the run and the cache, which both end behind the last token taken.
        """
        cache = run.forward.cache
        num_prompt = cache.num_tokens
        judged = self.judge(run)
        if judged is None:
            return None
        for token in judged.tokens:
            confidence = calibration.of_token(token.log_probability, judged.strength)
            if confidence < calibration.least:
                break
            run.draft_confidences.append(confidence)
            run.entropies.append(token.entropy)
        num_taken = len(run.draft_confidences)
        cache.truncate(num_prompt + num_taken)
        if num_taken == 0:
            return None
        run.middle.take_over([token.token_id for token in judged.tokens[:num_taken]])
        run.rules = run.rules.after_first_canvas()
        return run.middle.ending(settled_only=True)
