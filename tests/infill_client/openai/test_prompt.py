"""How the text around a gap is laid out: within its budget, and still where it was a key ago."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infill_client.openai.fim import FAMILIES, families_of
from infill_client.openai.prompt import chat_prompt, fim_prompt, sides, split_at_turn
from infill_engine.api import InfillRequest, RequestTooLarge, Snippet

_TEXTS = st.text("ab \n", max_size=400)


@given(_TEXTS, _TEXTS, st.integers(40, 500))
def test_what_is_kept_is_nearest_the_gap(prefix: str, suffix: str, budget_chars: int) -> None:
    before, after = sides(InfillRequest(prefix, suffix), budget_chars)
    assert prefix.endswith(before) and suffix.startswith(after)
    assert len(before) + len(after) <= budget_chars
    if len(prefix) + len(suffix) <= budget_chars // 2:
        assert (before, after) == (prefix, suffix)
    if prefix and len(prefix) > budget_chars:
        assert len(before) >= budget_chars // 4, "a stride is an eighth"


def test_typing_moves_the_beginning_seldom() -> None:
    code = "".join(f"line_{number} = {number}\n" for number in range(2000))
    typed = "value = call(argument, other)" * 4
    beginnings: set[str] = set()
    for num_chars in range(len(typed)):
        before, _ = sides(InfillRequest(code + typed[:num_chars], "\n"), 4000)
        beginnings.add(before[:40])
    assert len(beginnings) <= 2
    assert all(beginning.startswith("line_") for beginning in beginnings), "at a line"


@given(st.text("ab\n", max_size=300))
def test_a_turn_is_the_end_of_the_prefix(prefix: str) -> None:
    head, turn = split_at_turn(prefix)
    assert head + turn == prefix
    assert not head or head.endswith("\n")
    assert turn.count("\n") < 32


def test_the_fence_is_longer_than_any_in_the_text() -> None:
    request = InfillRequest("# Title\n\n```sh\nls\n", "````\n", "markdown", "a.md")
    prompt = chat_prompt(request, 8000, can_continue=True)
    assert prompt.fence == "`````"
    assert prompt.messages[-1]["content"].startswith("`````markdown\n# Title")


def test_half_a_character_is_never_sent() -> None:
    request = InfillRequest("x = '\ud83d", "\udc00'\n", "python")
    for message in chat_prompt(request, 8000, can_continue=True).messages:
        message["content"].encode()
    for text in fim_prompt(request, 8000, None).values():
        text.encode()


def test_a_long_selection_is_refused_and_a_short_one_whole() -> None:
    short = InfillRequest("a\n", "b\n", mode="rewrite", selection="x = 1\n", instruction="faster")
    words = chat_prompt(short, 1000, can_continue=False).messages[0]["content"]
    assert "x = 1\n" in words and "faster" in words
    long = InfillRequest("", "", mode="rewrite", selection="x" * 501, instruction="faster")
    with pytest.raises(RequestTooLarge, match=r"501 characters.* 500 at most"):
        chat_prompt(long, 1000, can_continue=False)


def test_snippets_come_first_and_as_long_as_there_is_room() -> None:
    snippets = tuple(Snippet(f"{name}.py", f"{name} = 1\n" * 20) for name in ("one", "two", "six"))
    request = InfillRequest("prefix_text", "suffix_text", snippets=snippets)
    words = chat_prompt(request, 1500, can_continue=False).messages[0]["content"]
    assert words.index("one.py") < words.index("suffix_text") < words.index("prefix_text")
    assert "two.py" in words and "six.py" not in words


def test_families_are_told_apart_by_name() -> None:
    assert [family.family for family in families_of("Qwen/Qwen3-Coder-30B")] == ["qwen"]
    assert [family.family for family in families_of("ibm/granite-8b-code")] == ["starcoder"]
    assert families_of("SmolLM2") == ()
    for family in FAMILIES:
        assert not family.may_carry("a", f"b {family.middle}")
        assert family.may_carry("a", "b")
