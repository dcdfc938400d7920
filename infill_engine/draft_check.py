"""How far a draft can be trusted: the model reads it causally, once, and every token is judged.

The encoder's next-token distribution says how likely each token is behind the prompt and the
draft before it; a calibrated function of that and of how strong the draft's source was says how
likely the token is right. Knows nothing of where drafts come from.
"""

import math
from dataclasses import dataclass

import torch
from infill_kernels import token_statistics

from infill_engine.forward import Forward
from infill_engine.token_rules import TokenRules


@dataclass(frozen=True, slots=True)
class DraftCalibration:
    """P(a draft token is right | all before it are), and from where on a token is taken over.

    The probability is sigmoid(bias + likelihood * log p + strength * log(1 + strength of the
    draft)), with p the model's own probability of the token.
    """

    bias: float
    likelihood: float
    strength: float
    least: float

    def of_token(self, log_probability: float, strength: int) -> float:
        """The probability for one token, 0 to 1."""
        score = self.bias + self.likelihood * log_probability + self.strength * math.log1p(strength)
        return 1.0 / (1.0 + math.exp(min(-score, 700.0)))


@dataclass(frozen=True, slots=True)
class JudgedToken:
    """One token of a draft: log of the model's probability for it, and entropy there, in nats."""

    token_id: int
    log_probability: float
    entropy: float


def judge_draft(
    forward: Forward,
    draft_ids: list[int],
    closing_id: int | None,
    rules: TokenRules,
) -> list[JudgedToken]:
    """Read the draft behind the cached prompt; judge its tokens and, at last, its end.

    Args:
        forward: gives next-token distributions; its cache holds the prompt, at least one token,
            and holds prompt and draft afterwards.
        draft_ids: the draft.
        closing_id: the token that would end the middle there, judged too; None judges no end.
        rules: tokens that may not stand in the middle, or not first.
    """
    model, cache = forward.model, forward.cache
    last_id = cache.token_ids[-1]
    cache.truncate(cache.num_tokens - 1)  # its hidden state is needed for the first token
    hidden = forward.prefill([last_id, *draft_ids])
    device = model.device
    judged_ids = draft_ids if closing_id is None else [*draft_ids, closing_id]
    logits = model.logits(hidden[: len(judged_ids)])
    rules.apply(logits, torch.arange(len(judged_ids), device=device))
    statistics = token_statistics(logits)
    wanted = torch.tensor(judged_ids, device=device)[:, None]
    log_p = statistics.probabilities.gather(1, wanted).squeeze(1).clamp_min(1e-9).log()
    return [
        JudgedToken(*values)
        for values in zip(judged_ids, log_p.tolist(), statistics.entropy.tolist(), strict=True)
    ]
