"""What of a model's answer is the middle, however the answer was cut into pieces."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infill_client.openai.cutting import AnswerCutter
from infill_engine.api import InfillRequest, Mode

PREFIX = "def add(left, right):\n    return "
SUFFIX = "\n\n\ndef subtract(left, right):\n    return left - right\n"


def middle(
    answer: str,
    prefix: str = PREFIX,
    suffix: str = SUFFIX,
    mode: Mode = "block",
    is_continued: bool = False,
    language_id: str = "python",
) -> str:
    request = InfillRequest(prefix, suffix, language_id, mode=mode)
    return AnswerCutter(request, True, is_continued).cut(answer, is_whole=True).text


@pytest.mark.parametrize(
    "answer",
    [
        "left + right",
        " left + right\n",
        "```\nleft + right\n```",
        "```python\nleft + right\n```\nThis adds the two numbers.",
        "~~~\nleft + right\n~~~",
        "Here is the missing code:\n\n```python\nleft + right\n```",
        "Sure! The gap is simple.\n```\nleft + right\n```\nLet me know.",
        "Here is the missing code:\nleft + right",
        "The code is:\n```python\nleft + right\n```",
        "<think>\nThey want a sum.\n```\nno\n```\n</think>\n\nleft + right",
        "return left + right",
        "    return left + right",
        "```python\ndef add(left, right):\n    return left + right\n```",
        "left + right\n\n\ndef subtract(left, right):\n    return 1",
        "left + right\r\n",
    ],
)
def test_only_the_middle_is_left(answer: str) -> None:
    assert middle(answer) == "left + right"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\n",
        "Here is nothing of use.",
        "That function takes a number and returns its remainder (%).",
        "<think>\nWhat could",
        "```python\n```",
        "Sure!",
    ],
)
def test_no_code_is_no_text(answer: str) -> None:
    assert middle(answer) == ""


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("left + right\n```\nThat is it.", "left + right"),
        (" left + right", "left + right"),
        ("left + `right`", "left + `right`"),
    ],
)
def test_an_answer_that_continues_ends_at_the_fence(answer: str, expected: str) -> None:
    assert middle(answer, is_continued=True) == expected


@pytest.mark.parametrize("before", ["", "    ", "\n    "])
def test_indentation_at_the_cursor_is_not_doubled(before: str) -> None:
    assert middle(f"{before}x = 1\n    y = 2", "def f():\n    ", "\n") == "x = 1\n    y = 2"


def test_a_block_below_the_gaps_line_begins_a_line() -> None:
    assert middle("```\n    return 1\n```", "def f():", "\n") == "\n    return 1"
    assert middle(" 1", "x =", "\n") == " 1"


def test_the_previous_line_may_be_repeated() -> None:
    answer = "```\n    total = 0\n    for x in xs:\n```"
    assert middle(answer, "def f(xs):\n    total = 0\n    ", "\n") == "for x in xs:"


def test_a_function_written_anew_is_cut_to_the_gap() -> None:
    prefix = "def read(path):\n    with open(path) as file:\n        return "
    anew = "def read(path):\n    with open(path, 'r') as file:\n        return json.load(file)\n"
    assert middle(f"```\n{anew}```", prefix, "\n") == "json.load(file)"
    above = "def f(a):\n    if a:\n        return None\n    if not a:\n        "
    assert middle("return None", above, "\n") == "return None", "a line may be there twice"


def test_the_rest_of_the_line_is_not_written_twice() -> None:
    assert middle("left, right, total)", "print(", "right, total)\n") == "left, "
    assert middle("f(x)", "print(", ")\n") == "f(x)", "brackets are its own"


def test_a_short_line_below_ends_the_answer_only_with_the_next() -> None:
    suffix = "\n}\n\nfunc main() {\n"
    assert middle("if ok {\n\treturn\n}\nlog()", "\t", suffix) == "if ok {\n\treturn\n}\nlog()"
    assert middle("go()\n}\n\nfunc main() {\n\trun()", "\t", suffix) == "go()"


def test_line_mode_ends_with_the_line() -> None:
    request = InfillRequest(PREFIX, SUFFIX, "python", mode="line")
    cut = AnswerCutter(request, True, True).cut("left + right\nprint(", is_whole=False)
    assert (cut.text, cut.is_ended) == ("left + right", True)


def test_a_rewrite_keeps_the_selections_line_end() -> None:
    request = InfillRequest("a\n", "c\n", "python", mode="rewrite", selection="b = 1\n")
    cutter = AnswerCutter(request, True, False)
    assert cutter.cut("```python\na\nb = 2\nc\n```", is_whole=True).text == "a\nb = 2\nc\n"


@pytest.mark.parametrize("answer", ["b = 2\n    c = 3", "    b = 2\n    c = 3"])
def test_a_rewrite_does_not_double_the_indentation_before_it(answer: str) -> None:
    request = InfillRequest("def f():\n    ", "\n", "python", mode="rewrite", selection="b = 1")
    assert AnswerCutter(request, True, False).cut(answer, is_whole=True).text == "b = 2\n    c = 3"


def test_a_document_of_prose_may_begin_like_an_explanation() -> None:
    assert middle("Here is how to install it.", "", "\n", language_id="markdown") == (
        "Here is how to install it."
    )


def test_raw_text_is_only_cut_where_the_suffix_begins() -> None:
    request = InfillRequest("x = ", "\nprint(x + 1)\n", "python", mode="block")
    cutter = AnswerCutter(request, False, True)
    assert cutter.cut("```\n", is_whole=True).text == "```\n"
    assert cutter.cut("1\nprint(x + 1)\n", is_whole=True).text == "1"


def test_halves_of_a_character_are_joined() -> None:
    assert middle("'\ud83d\ude00'", "x = ", "\n") == "'😀'"
    assert middle("'\ud83d'", "x = ", "\n") == "'\ufffd'"


_PIECES = st.sampled_from(
    [
        *("```", "```python\n", "`", "~~~", "\n", "\n\n", "    ", "  ", "\t", "\r\n", " "),
        *("return ", "left", " + ", "right", "def subtract(left, right):", "def ", "}", ")"),
        *("Here is the code:", "Sure!", "<think>", "</think>", "x = 1", "print(", "\ud83d"),
        *("\ude00", "é", "func main() {", "def add(left, right):", "right, total)", ", total"),
    ]
)
_PREFIXES = st.sampled_from(
    [PREFIX, "", "x", "def f():", "def f():\n", "def f():\n    ", "a\n}\n\t", "x = 1\n\n    y = "]
)
_SUFFIXES = st.sampled_from([SUFFIX, "", "\n", "\n}\n\nfunc main() {\n", "right, total)\nx = 1\n"])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_PIECES, max_size=9).map("".join),
    _PREFIXES,
    _SUFFIXES,
    st.sampled_from(["line", "block", "rewrite"]),
    st.booleans(),
    st.booleans(),
)
@example("  }\n\n", "x", "\n}\n\nfunc main() {\n", "line", True, False)
def test_what_is_settled_is_never_taken_back(
    answer: str, prefix: str, suffix: str, mode: Mode, is_chat: bool, is_continued: bool
) -> None:
    selection = "  x = 1\n"[len(suffix) % 3 :] if mode == "rewrite" else ""
    request = InfillRequest(prefix, suffix, "python", mode=mode, selection=selection)
    cutter = AnswerCutter(request, is_chat, is_continued)
    final = cutter.cut(answer, is_whole=True).text
    final.encode()
    settled = ""
    for num_chars in range(len(answer) + 1):
        cut = cutter.cut(answer[:num_chars], is_whole=False)
        now = cut.text[: cut.settled_chars]
        assert now.startswith(settled)
        assert final.startswith(now)
        if cut.is_ended:
            assert cut.text == final
            # What would have followed the end is read no more.
            assert cutter.cut(answer[:num_chars], is_whole=True).text == final
        settled = now
