"""Drafts from the file: the longest agreement wins, and only whole lines' ends are copied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infill_engine.context_draft import ContextDraft, find_context_draft


@pytest.mark.parametrize(
    ("prefix", "suffix", "expected"),
    [
        ("x = load(a)\npass\ny = lo", "\n", ContextDraft("ad(a)", 3)),
        # The longer agreement wins over the nearer one.
        ("total += one\nsum += two\ntotal += ", "\n", ContextDraft("one", 7)),
        # Of equal ones the nearest before the cursor.
        ("f(one)\nf(two)\npass\nf(", "", ContextDraft("two)", 2)),
        # What follows the cursor is searched too.
        ("self.name = ", "\npass\nself.name = name\n", ContextDraft("name", 10)),
        # The line may be at its end.
        ("    return None\npass\n    return None", "\n", ContextDraft("", 10)),
        # What stands right above or below is not said again, but a bracket may well be.
        ("a = first\npass\na = next\na = ", "\n", ContextDraft("first", 1)),
        ("a = next", "\na = next\n", None),
        ("f({\n    1: {\n    }\n", "\n}\n}\n", None),
        ("    })\n    })\n    ", "\n", ContextDraft("})", 2)),
        # More code follows on the line: the copy ends before it, or does not fit.
        ("f(one, two)\npass\nf(on", ", two)\n", ContextDraft("e", 4)),
        ("sum(one)\npass\nsum(", ")\n", ContextDraft("one", 4)),
        ("sum(one)\npass\nsum(", ", two)\n", None),
        ("a = b", "", None),
        ("", "a = b", None),
        ("ab", "ab", None),
    ],
)
def test_cases(prefix: str, suffix: str, expected: ContextDraft | None) -> None:
    assert find_context_draft(prefix, suffix) == expected


@given(st.text("ab \n", max_size=60), st.text("ab \n", max_size=60))
def test_what_is_drafted_stands_behind_an_end_of_the_prefix(prefix: str, suffix: str) -> None:
    draft = find_context_draft(prefix, suffix)
    if draft is not None:
        rest_of_line = suffix.partition("\n")[0].rstrip()
        whole = draft.text + rest_of_line
        assert "\n" not in whole and whole == whole.rstrip(), "blanks stand between code only"
        end = prefix[-3:] + whole
        assert end in prefix or end in suffix


def test_a_long_file_of_one_character_is_no_trouble() -> None:
    draft = find_context_draft("a" * 1_000_000, "\n" + "a" * 1_000_000)
    assert draft is not None and draft.strength == 64
