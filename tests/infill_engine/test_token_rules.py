"""Banned and allowed tokens."""

import torch
from infill_kernels import BANNED_LOGIT

from infill_engine.token_rules import TokenRules


def test_bans_everywhere_and_at_the_first_position_only() -> None:
    rules = TokenRules(banned=torch.tensor([0]), first_banned=torch.tensor([1]))
    logits = rules.apply(torch.zeros(3, 4), positions=torch.tensor([0, 1, 5]))
    assert (logits[:, 0] == BANNED_LOGIT).all()
    assert (logits[:, 1] == BANNED_LOGIT).tolist() == [True, False, False]
    assert not (logits[:, 2:] == BANNED_LOGIT).any()


def test_only_allowed_tokens_at_the_first_position() -> None:
    rules = TokenRules(first_allowed=torch.tensor([2, 3]))
    logits = rules.apply(torch.ones(2, 4), positions=torch.tensor([0, 1]))
    assert (logits[0] == BANNED_LOGIT).tolist() == [True, True, False, False]
    assert not (logits[1] == BANNED_LOGIT).any()
    assert rules.after_first_canvas().first_allowed is None


def test_banning_more_keeps_the_other_rules() -> None:
    rules = TokenRules(first_allowed=torch.tensor([2, 3])).banning(torch.tensor([3]))
    rules = rules.banning(torch.tensor([1]))
    assert rules.banned is not None
    assert rules.banned.tolist() == [3, 1]
    assert rules.after_first_canvas().banned is not None
    logits = rules.apply(torch.ones(2, 4), positions=torch.tensor([0, 1]))
    is_free = (logits != BANNED_LOGIT).tolist()
    assert is_free == [[False, False, True, False], [True, False, True, False]]
