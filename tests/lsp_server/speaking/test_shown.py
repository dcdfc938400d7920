"""What is left of a suggestion while it is typed, also with brackets that close themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.speaking.gap import COMPARED_CHARS, Gap
from lsp_server.speaking.shown import NUM_KEPT, Shown, ShownMemory, rest_at

P, S = "a = 1\nb = ", "\nc = 3\n"


def rest(text: str, typed: str, added: str = "", prefix: str = P, suffix: str = S) -> str | None:
    return rest_at(Shown(Gap(prefix, suffix), text), Gap(prefix + typed, added + suffix))


@pytest.mark.parametrize(
    ("text", "typed", "added", "expected"),
    [
        ("foo(x)", "", "", "foo(x)"),
        ("foo(x)", "fo", "", "o(x)"),
        ("foo(x)", "fa", "", None),
        ("foo(x)", "foo(x)", "", None),
        ("foo(x)", "foo(x)y", "", None),
        # The editor closed the bracket.
        ("foo(x)", "foo(", ")", "x"),
        ("foo(x)", "foo(x", ")", ""),
        ("foo(x) + 1", "foo(", ")", "x"),
        ("foo(x) + 1", "foo(x", ")", ""),
        ("foo(x) + 1", "foo(x)", "", " + 1"),
        ("foo(g(1), 2) + 3", "foo(", ")", "g(1), 2"),
        ("foo(g(1), 2)", "foo(g(", "))", "1"),
        ("foo(g(1))", "foo(g(", "))", "1"),
        ('print("a)b")', 'print("', '")', "a)b"),
        ('x["k"] = 1', "x[", "]", '"k"'),
        ("{\n    return 1\n}", "{\n    ", "\n}", "return 1"),
        ("{\n    return 1\n} else {}", "{\n    ", "\n}", "return 1"),
        ("foo(x)", "fo", ")", "o(x"),  # put there by hand: the text is the suggested one
        # A part that was accepted: nothing closes its brackets.
        ("[(1)] + 2", "[(", "]", "1)"),
        ("f(g(1), 2)", "f(g(", ")", "1), 2"),
        # What came after the cursor is not what an editor would close.
        ("foo(x)", "foo(", "y", None),
        ("foo(x) + 1", "fo", ")", None),
        ("foo(x)", "foo(", "]", None),
    ],
)
def test_rests(text: str, typed: str, added: str, expected: str | None) -> None:
    assert rest(text, typed, added) == expected


def test_other_text_around_never_answers() -> None:
    shown = Shown(Gap(P, S, "python"), "foo")
    assert rest_at(shown, Gap(P, S, "python")) == "foo"
    assert rest_at(shown, Gap(P, S, "go")) is None
    assert rest_at(shown, Gap("z" + P, S, "python")) is None
    assert rest_at(shown, Gap(P[1:], S, "python")) is None
    assert rest_at(shown, Gap(P, S + "z", "python")) is None
    assert rest_at(shown, Gap(P, S[1:], "python")) is None


def test_long_documents_whose_far_ends_are_cut_as_the_cursor_moves() -> None:
    prefix, suffix = "x" * (COMPARED_CHARS + 500) + P, S + "y" * (COMPARED_CHARS + 500)
    memory = ShownMemory()
    memory.remember(Shown(Gap(prefix, suffix), "foo(x)"))
    for typed, added, expected in [("fo", "", "o(x)"), ("foo(", ")", "x")]:
        recalled = memory.recall(Gap((prefix + typed)[100:], (added + suffix)[:-100]))
        assert recalled is not None
        assert recalled[1] == expected
    assert memory.recall(Gap(prefix, "y" + suffix)) is None


def test_the_newest_that_fits_answers_and_old_ones_are_dropped() -> None:
    memory = ShownMemory()
    memory.remember(Shown(Gap(P, S), "one"))
    memory.remember(Shown(Gap(P, S), "two"))
    recalled = memory.recall(Gap(P, S))
    assert recalled is not None
    assert recalled[1] == "two"
    assert memory.recall(Gap(P + "o", S)) is not None
    for _ in range(NUM_KEPT - 1):
        memory.remember(Shown(Gap("elsewhere", S), "three"))
    assert memory.recall(Gap(P + "o", S)) is None


def test_what_is_brought_forward_answers_first() -> None:
    memory = ShownMemory()
    memory.remember(Shown(Gap(P, S), "foo"))
    memory.remember(Shown(Gap(P + "f", S), "bar"))
    recalled = memory.recall(Gap(P, S))
    assert recalled is not None
    memory.bring_forward(recalled[0])
    recalled = memory.recall(Gap(P + "f", S))
    assert recalled is not None
    assert recalled[1] == "oo"


pieces = st.lists(
    st.sampled_from(["a", "b", " ", "(", ")", "[", "]", '"', "\n", "{", "}"]), max_size=12
).map("".join)


@given(pieces, pieces, pieces, pieces, st.sampled_from(["", ")", "]", '"', '")', "\n}", "))"]))
def test_what_is_shown_always_leads_to_what_was_suggested(
    prefix: str, suffix: str, text: str, typed: str, added: str
) -> None:
    shown = Shown(Gap(prefix, suffix), text)
    now = Gap(prefix + typed, added + suffix)
    left = rest_at(shown, now)
    if left is None:
        return
    before = (now.prefix + left)[len(prefix) :]
    assert text.startswith(before)
    if added:
        # Either the same text in the end, or the user meets the bracket first.
        assert before + added == text or text[len(before) :].lstrip().startswith(added.strip()[0])
    else:
        assert before == text
