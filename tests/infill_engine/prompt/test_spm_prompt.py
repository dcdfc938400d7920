"""Prompts of the embedded model: order, budget, healing, stability while typing."""

from itertools import pairwise

import pytest

from infill_engine.api import InfillRequest, Snippet
from infill_engine.generation_config import GenerationConfig
from infill_engine.prompt.spm_prompt import SpmPrompt
from infill_engine.tokenizer import Tokenizer
from tests.tiny_checkpoint import tiny_tokenizer

TOKENIZER = Tokenizer(tiny_tokenizer())


def strategy(max_context_tokens: int = 200) -> SpmPrompt:
    return SpmPrompt(
        TOKENIZER, GenerationConfig(noise="mask", max_context_tokens=max_context_tokens)
    )


def spell(token_ids: tuple[int, ...]) -> str:
    names = {TOKENIZER.special_id(n): n for n in ("<bos>", "<|suffix|>", "<|prefix|>", "<|path|>")}
    names |= {TOKENIZER.special_id(n): n for n in ("<|language|>", "<|snippet|>")}
    return "".join(names.get(i) or TOKENIZER.decode([i]) for i in token_ids)


def test_suffix_first_prefix_last() -> None:
    prompt = strategy().build(InfillRequest("x = 1\n", "\nend", "python", "a.py"))
    assert spell(prompt.token_ids) == (
        "<bos><|language|>python<|path|>a.py<|suffix|>\nend<|prefix|>x = 1\n"
    )
    assert prompt.healed == ""


def test_the_last_word_is_healed() -> None:
    prompt = strategy().build(InfillRequest("x = nu", ""))
    assert prompt.healed
    assert spell(prompt.token_ids).endswith("<|prefix|>" + "x = nu"[: -len(prompt.healed)])
    for token_id in prompt.first_allowed_ids:
        assert TOKENIZER.decode([token_id]).startswith(prompt.healed)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n    ", "\n\t\t", ""])
def test_line_ends_and_indentation_are_not_healed(end: str) -> None:
    assert strategy().build(InfillRequest("x = 1" + end if end else "", "")).healed == ""


def test_half_a_character_before_the_cursor_is_not_healed() -> None:
    prompt = strategy().build(InfillRequest("name = '🎉", "'"))
    assert prompt.healed == ""


@pytest.mark.parametrize("budget", [64, 200, 512])
def test_never_over_budget_and_nearest_the_cursor_is_kept(budget: int) -> None:
    prefix = "".join(f"before_{i} = {i}\n" for i in range(500))
    suffix = "".join(f"after_{i} = {i}\n" for i in range(500))
    prompt = strategy(budget).build(InfillRequest(prefix, suffix, "python", "some/long/path.py"))
    assert budget // 2 < len(prompt.token_ids) <= budget
    text = spell(prompt.token_ids)
    assert text.endswith("before_499 = 499\n")
    assert "<|suffix|>after_0 = 0\n" in text


def test_snippets_come_in_order_and_are_dropped_from_the_end() -> None:
    snippets = tuple(Snippet(f"f{i}.py", f"value_{i} = {i}\n") for i in range(30))
    text = spell(strategy().build(InfillRequest("x", "y", snippets=snippets)).token_ids)
    assert "<|snippet|>f0.py\nvalue_0" in text
    assert "value_29" not in text
    assert text.index("<|snippet|>") < text.index("<|suffix|>")


def test_typing_rarely_moves_the_prompts_head() -> None:
    """Between two cuts the old prompt, less the healed token, is the new one's beginning."""
    base = "".join(f"before_{i} = {i}\n" for i in range(200))
    suffix = "".join(f"after_{i} = {i}\n" for i in range(200))
    build = strategy(256).build
    prompts = [build(InfillRequest(base + "a = b + c * d\n" * n, suffix)) for n in range(1, 40)]
    num_moves = sum(
        new.token_ids[: len(old.token_ids)] != old.token_ids for old, new in pairwise(prompts)
    )
    num_typed = len(TOKENIZER.encode("a = b + c * d\n")) * len(prompts)
    assert num_moves <= num_typed // 20 + 1
